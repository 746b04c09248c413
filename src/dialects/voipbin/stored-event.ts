import { presentEvent, wireEventId, wireNames } from './events.ts';
import type { StoredEvent } from '../../domain/stored-event.ts';

/** A webhook's body (spec section 11). */
export const presentStored = (stored: StoredEvent, name: string) =>
  stored.kind === 'log'
    ? presentEvent(stored.event, name)
    : { type: name, sequence: stored.sequence, data: stored.data };

/** The webhook events that one stored event stands for, with their constant ids. */
export function wireEventsOf(stored: StoredEvent): { id: string; type: string; sequence: number }[] {
  const { sequence } = stored.kind === 'log' ? stored.event : stored;
  const names: string[] = stored.kind === 'log' ? wireNames(stored.event) : [stored.type];
  return names.map((type) => ({ id: wireEventId(stored.sourceId, sequence, type), type, sequence }));
}
