import { presentEvent, wireEventId, wireNames } from './events.ts';
import type { StoredEvent } from '../../domain/stored-event.ts';

/** A webhook's body (spec section 11). */
export const presentStored = (stored: StoredEvent, name: string) =>
  stored.kind === 'notice'
    ? { type: name, sequence: stored.sequence, data: stored.data }
    : presentEvent(stored.event, name);

/** The webhook events that one stored event stands for, with their constant ids. */
export function wireEventsOf(stored: StoredEvent): { id: string; type: string; sequence: number }[] {
  const { sequence } = stored.kind === 'notice' ? stored : stored.event;
  const names: string[] = stored.kind === 'notice' ? [stored.type] : wireNames(stored.event);
  return names.map((type) => ({ id: wireEventId(stored.sourceId, sequence, type), type, sequence }));
}
