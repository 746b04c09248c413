import type { Refusal } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import type { TalkActor } from './commands.ts';
import type { Talk } from './state.ts';

/** Only participants see, and every agent of the customer sees a channel (spec section 6). A foreign talk is as unknown as none. */
export function mayRead(talk: Talk | null, actor: TalkActor): Result<Talk, Refusal> {
  if (!talk || !isMeant(talk, actor)) return err({ code: 'TALK_NOT_FOUND' });
  const allowed = isIn(talk, actor) || talk.state.type === 'channel';
  return allowed ? ok(talk) : err({ code: 'PERMISSION_DENIED' });
}

/** Only participants act, in a channel too. */
export function mayAct(talk: Talk | null, actor: TalkActor): Result<Talk, Refusal> {
  const found = mayRead(talk, actor);
  if (!found.ok || isIn(found.value, actor)) return found;
  return err({ code: 'PERMISSION_DENIED' });
}

/** The same where the talk must be open: what is said and changed there. */
export function mayWrite(talk: Talk | null, actor: TalkActor): Result<Talk, Refusal> {
  const found = mayAct(talk, actor);
  if (!found.ok || found.value.state.lifecycle === 'active') return found;
  return err({ code: 'TALK_CLOSED' });
}

/** Of the actor's customer, there, and the one that was named. */
export const isMeant = ({ state }: Talk, { customerId, talkId }: TalkActor): boolean =>
  state.customerId === customerId && state.deletedAt === null && (talkId === null || talkId === state.id);

export const isIn = (talk: Talk, { agentId }: Pick<TalkActor, 'agentId'>): boolean => talk.participants.has(agentId);
