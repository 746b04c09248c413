import type { Refusal } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import type { Micros } from '../time.ts';
import { mayWrite } from './access.ts';
import type { TalkActor } from './commands.ts';
import type { NewTalkEvent } from './events.ts';
import type { Talk, TalkMessage } from './state.ts';

type Decided = Result<NewTalkEvent[], Refusal>;

/** As many different emojis as one message carries, and as many reactions: every event about one carries them all. */
const MAX_EMOJIS = 50;
const MAX_REACTIONS = 1000;

/** Into the set. What is in it already is no event. */
export function decideReact(
  talk: Talk | null,
  actor: TalkActor,
  message: TalkMessage | null,
  emoji: string,
  at: Micros,
): Decided {
  const found = reactable(talk, actor, message);
  if (!found.ok) return found;
  const { reactions } = found.value;
  if (reactions.some((known) => known.emoji === emoji && known.agentId === actor.agentId)) return ok([]);
  const emojis = new Set(reactions.map((known) => known.emoji));
  if (!emojis.has(emoji) && emojis.size >= MAX_EMOJIS) {
    return err({
      code: 'INVALID_FIELD',
      field: 'emoji',
      problem: `the message already has ${MAX_EMOJIS} different reactions, the maximum`,
    });
  }
  if (reactions.length >= MAX_REACTIONS) {
    return err({
      code: 'INVALID_FIELD',
      field: 'emoji',
      problem: `the message already has ${MAX_REACTIONS} reactions, the maximum`,
    });
  }
  const reaction = { emoji, agentId: actor.agentId, createdAt: at };
  const reacted = { ...found.value, reactions: [...reactions, reaction], updatedAt: at };
  return ok([{ type: 'talk.reaction_added', message: reacted, reaction }]);
}

/** Out of the set; one's own only. What is not in it is no event. */
export function decideUnreact(
  talk: Talk | null,
  actor: TalkActor,
  message: TalkMessage | null,
  emoji: string,
  at: Micros,
): Decided {
  const found = reactable(talk, actor, message);
  if (!found.ok) return found;
  const { reactions } = found.value;
  const reaction = reactions.find((known) => known.emoji === emoji && known.agentId === actor.agentId);
  if (!reaction) return ok([]);
  const rest = { ...found.value, reactions: reactions.filter((known) => known !== reaction), updatedAt: at };
  return ok([{ type: 'talk.reaction_removed', message: rest, reaction }]);
}

function reactable(talk: Talk | null, actor: TalkActor, message: TalkMessage | null): Result<TalkMessage, Refusal> {
  const found = mayWrite(talk, actor);
  if (!found.ok) return found;
  return message && message.deletedAt === null ? ok(message) : err({ code: 'TALK_MESSAGE_NOT_FOUND' });
}
