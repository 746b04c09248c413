import { presentMessage } from './message.ts';
import type { Change } from '../../domain/conversation/events.ts';
import type { Message } from '../../domain/conversation/state.ts';
import { NIL_UUID } from '../../domain/ids.ts';
import type { Micros } from '../../domain/time.ts';
import { blankTime } from './times.ts';

interface Entry {
  conversationId: string;
  sequence: number;
  createdAt: Micros;
  change: Change;
}

const presentActor = ({ type, id }: Change['actor']) => ({ type, id });

/** Who changed the mode, owner or consent. Shown next to the event's `data`. */
export const presentChange = ({ actor, reason, mode, owner, optOut }: Change) => ({
  actor: presentActor(actor),
  reason,
  ...(mode ? { from_mode: mode.from, to_mode: mode.to } : {}),
  ...(owner ? { from_owner_id: owner.from ?? NIL_UUID, to_owner_id: owner.to ?? NIL_UUID } : {}),
  ...(optOut === null ? {} : { opt_out: optOut }),
});

/** An entry of the mode history, of the assignment history, and of the timeline. */
export const presentEntry = ({ conversationId, sequence, createdAt, change }: Entry) => ({
  conversation_id: conversationId,
  sequence,
  ...presentChange(change),
  tm_create: blankTime(createdAt),
});

type TimelineEntry =
  | { kind: 'message'; sequence: number; message: Message }
  | { kind: 'change'; sequence: number; entry: Entry };

export const presentTimelineEntry = (each: TimelineEntry) =>
  each.kind === 'message'
    ? { type: 'message' as const, sequence: each.sequence, data: presentMessage(each.message) }
    : { type: 'system' as const, sequence: each.sequence, data: presentEntry(each.entry) };
