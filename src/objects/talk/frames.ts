import { z } from 'zod';
import { moveRead } from './commands.ts';
import { deleteMessage, editMessage, react, sendMessage, unreact } from './messages.ts';
import type { TalkAggregate } from './aggregate.ts';
import { presentParticipant, presentTalkMessage } from '../../dialects/voipbin/talk.ts';
import { talkEditOf, talkFrameSchema, talkSendOf, type TalkFrame } from '../../dialects/voipbin/talk-bodies.ts';
import { REFUSAL_MESSAGES, type Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { mayAct } from '../../domain/talk/access.ts';
import type { TalkActor } from '../../domain/talk/commands.ts';
import type { TalkMessage } from '../../domain/talk/state.ts';

/** What became of one frame: the answer to its sender, and what the room is told beside the log. */
export interface Handled {
  reply: unknown;
  sendEphemeral: Ephemeral | null;
}

interface Ephemeral {
  frame: unknown;
  /** Whether the agent's own sockets hear it too: its other devices must know what it has read, and not that it types. */
  toSelf: boolean;
}

type Outcome = Result<{ data: unknown; sendEphemeral?: Ephemeral }, Refusal>;

/** Does what a socket's frame says. Its fault is its own: the answer is an `error` frame, and the socket stays open. */
export function handleFrame(aggregate: TalkAggregate, actor: TalkActor, frame: unknown): Handled {
  const parsed = talkFrameSchema.safeParse(frame);
  if (!parsed.success) return { reply: malformed(frame, parsed.error), sendEphemeral: null };
  const { client_id } = parsed.data;
  const outcome = dispatch(aggregate, actor, parsed.data);
  if (!outcome.ok) return { reply: { type: 'error', client_id, error: problem(outcome.error) }, sendEphemeral: null };
  const { data, sendEphemeral = null } = outcome.value;
  return { reply: { type: 'ack', client_id, data }, sendEphemeral };
}

function dispatch(aggregate: TalkAggregate, actor: TalkActor, frame: TalkFrame): Outcome {
  switch (frame.type) {
    case 'send':
      return shown(sendMessage(aggregate, actor, talkSendOf(frame), null));
    case 'edit':
      return shown(editMessage(aggregate, actor, frame.message_id, talkEditOf(frame)));
    case 'delete':
      return shown(deleteMessage(aggregate, actor, frame.message_id));
    case 'react':
      return shown(react(aggregate, actor, frame.message_id, frame.emoji, null));
    case 'unreact':
      return shown(unreact(aggregate, actor, frame.message_id, frame.emoji));
    case 'read':
      return read(aggregate, actor, frame.sequence);
    case 'typing':
      return typing(aggregate, actor);
  }
}

const shown = (result: Result<TalkMessage, Refusal>): Outcome =>
  result.ok ? ok({ data: presentTalkMessage(result.value) }) : result;

function read(aggregate: TalkAggregate, actor: TalkActor, sequence: number): Outcome {
  const moved = moveRead(aggregate, actor, sequence);
  if (!moved.ok) return moved;
  if (!moved.value) return ok({ data: null });
  return ok({ data: presentParticipant(moved.value), sendEphemeral: { frame: readFrame(moved.value), toSelf: true } });
}

/** How far somebody has read; outside the log, like typing and presence. */
export const readFrame = (participant: Parameters<typeof presentParticipant>[0]) => ({
  type: 'read',
  data: presentParticipant(participant),
});

function typing(aggregate: TalkAggregate, actor: TalkActor): Outcome {
  const found = mayAct(aggregate.talk, actor);
  if (!found.ok) return err(found.error);
  const data = { chat_id: found.value.state.id, owner_type: 'agent', owner_id: actor.agentId };
  return ok({ data, sendEphemeral: { frame: { type: 'typing', data }, toSelf: false } });
}

const clientIdSchema = z.object({ client_id: z.string() });

/** The client's own name for the frame is echoed where there is one, so that it knows which of its frames was wrong. */
function malformed(frame: unknown, error: z.ZodError) {
  const named = clientIdSchema.safeParse(frame);
  const details = Object.fromEntries(
    error.issues.map((issue) => [issue.path.join('.') || 'frame', issue.message] as const).toReversed(),
  );
  const message = Object.entries(details)
    .map(([field, what]) => `${field}: ${what}`)
    .join('; ');
  const client_id = named.success ? named.data.client_id : '';
  return { type: 'error', client_id, error: { reason: 'INVALID_ARGUMENT', message, details } };
}

function problem(refusal: Refusal) {
  if (refusal.code !== 'INVALID_FIELD') return { reason: refusal.code, message: REFUSAL_MESSAGES[refusal.code] };
  const { field, problem: what } = refusal;
  return { reason: 'INVALID_ARGUMENT', message: `${field}: ${what}`, details: { [field]: what } };
}
