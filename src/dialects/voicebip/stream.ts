import { z } from 'zod';
import { presentChannel } from './conversation.ts';
import { TOLD_STATUSES } from './events.ts';
import { writeId } from './ids.ts';

/**
 * What an object's socket says, which is VoIPBIN's frame. The stream of this dialect is made of it in the Worker, so that all readers of
 * a conversation share one rendering in its object.
 */
const actor = z.object({ id: z.string() });
const messageSchema = z.object({
  id: z.string(),
  conversation_id: z.string(),
  direction: z.string(),
  reference_type: z.string(),
  text: z.string(),
  tm_update: z.string(),
  deliveries: z.array(z.object({ status: z.string() })),
});
const changeSchema = z.object({ actor, from_mode: z.string(), to_mode: z.string() });
const frameSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('conversation_message_created'), data: messageSchema }),
  z.object({ type: z.literal('conversation_message_updated'), data: messageSchema }),
  z.object({
    type: z.enum(['conversation_updated', 'conversation_closed']),
    data: z.object({ id: z.string(), tm_update: z.string() }),
    change: changeSchema,
  }),
]);

type MessageFrame = z.infer<typeof messageSchema>;

/** Seed 003's event for one frame; null where this dialect has none. */
export function presentStreamEvent(frame: unknown) {
  const { data: known } = frameSchema.safeParse(frame);
  if (!known) return null;
  if ('change' in known) return modeChanged(known.data, known.change);
  const status = statusOf(known.data, known.type);
  return status === null ? null : messageEvent(known.data, status);
}

const isoOf = (blank: string): string => `${blank.slice(0, 19).replace(' ', 'T')}Z`;

const modeChanged = (data: { id: string; tm_update: string }, change: z.infer<typeof changeSchema>) => ({
  event_type: 'conversation.mode_changed',
  conversation_id: writeId('conv', data.id),
  timestamp: isoOf(data.tm_update),
  payload: { from_mode: change.from_mode, to_mode: change.to_mode, actor_user_id: change.actor.id },
});

function statusOf({ direction, deliveries: [delivery] }: MessageFrame, type: string): string | null {
  if (direction === 'incoming') return type === 'conversation_message_created' ? 'received' : null;
  return TOLD_STATUSES.find((told) => told === delivery?.status) ?? null;
}

const messageEvent = (data: MessageFrame, status: string) => ({
  event_type: `message.${status}`,
  conversation_id: writeId('conv', data.conversation_id),
  timestamp: isoOf(data.tm_update),
  payload: {
    message_id: writeId('msg', data.id),
    direction: data.direction === 'incoming' ? 'inbound' : 'outbound',
    channel: presentChannel(data.reference_type),
    text: data.text,
    status,
  },
});
