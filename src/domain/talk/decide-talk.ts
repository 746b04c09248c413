import type { Refusal } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import type { Micros } from '../time.ts';
import { isIn, isMeant, mayAct, mayRead } from './access.ts';
import type { Newcomer, OpenCommand, TalkActor, TalkChanges } from './commands.ts';
import { enter } from './decide-participants.ts';
import type { NewTalkEvent } from './events.ts';
import type { Talk, TalkState } from './state.ts';

type Decided = Result<NewTalkEvent[], Refusal>;

/**
 * A new talk with its first participants, without a word about their coming. A repeat finds it there. Where it is the 1:1 talk of just
 * these two, whoever of them is missing comes back, and the talk is open again.
 */
export function decideOpen(talk: Talk | null, command: OpenCommand, at: Micros): Decided {
  if (talk) return reenter(talk, command, at);
  const created: NewTalkEvent = { type: 'talk.created', talk: newTalk(command, at) };
  const joins = command.members.flatMap((member) => enter(command, member, at).slice(0, 1));
  return ok([created, ...joins]);
}

function newTalk({ talkId, customerId, type, name, detail, members }: OpenCommand, at: Micros): TalkState {
  return {
    id: talkId,
    customerId,
    type,
    name,
    detail,
    lifecycle: 'active',
    pair: null,
    memberCount: members.length,
    sequence: 0,
    lastMessageAt: null,
    createdAt: at,
    updatedAt: at,
    deletedAt: null,
  };
}

function reenter(talk: Talk, command: OpenCommand, at: Micros): Decided {
  const { state, participants } = talk;
  const { talkId, customerId, type, members } = command;
  if (state.id !== talkId || state.customerId !== customerId || state.deletedAt !== null)
    return err({ code: 'TALK_NOT_FOUND' });
  if (state.type !== 'normal' || type !== 'normal') {
    const [creator] = members;
    return creator && isIn(talk, creator) ? ok([]) : err({ code: 'PERMISSION_DENIED' });
  }
  const meant = new Set(members.map(({ agentId }) => agentId));
  const isOthers = [...participants.keys(), ...(state.pair ?? [])].some((agentId) => !meant.has(agentId));
  if (isOthers) return err({ code: 'TALK_NOT_FOUND' });
  const missing = members.filter((member) => !isIn(talk, member));
  return ok([...reopened(state, at), ...missing.flatMap((member) => enter(command, member, at))]);
}

const reopened = (state: TalkState, at: Micros): NewTalkEvent[] =>
  state.lifecycle === 'active'
    ? []
    : [{ type: 'talk.reopened', talk: { ...state, lifecycle: 'active', updatedAt: at } }];

/** A change that changes nothing is no event. */
export function decideUpdate(talk: Talk | null, actor: TalkActor, changes: TalkChanges, at: Micros): Decided {
  const found = mayAct(talk, actor);
  if (!found.ok) return found;
  const { state } = found.value;
  const { name = state.name, detail = state.detail } = changes;
  if (name === state.name && detail === state.detail) return ok([]);
  return ok([{ type: 'talk.updated', talk: { ...state, name, detail, updatedAt: at } }]);
}

/** No messages from now on. Closing a closed talk changes nothing. */
export function decideClose(talk: Talk | null, actor: TalkActor, at: Micros): Decided {
  const found = mayAct(talk, actor);
  if (!found.ok) return found;
  const { state } = found.value;
  if (state.lifecycle === 'closed') return ok([]);
  return ok([{ type: 'talk.closed', talk: { ...state, lifecycle: 'closed', updatedAt: at } }]);
}

/**
 * Open again. A talk that everybody has left is brought back by an administrator, a channel by anybody, and whoever does it is its
 * participant again.
 */
export function decideReopen(talk: Talk | null, actor: TalkActor, self: Newcomer, at: Micros): Decided {
  const found = talk?.participants.size === 0 && actor.isAdmin ? foundEmpty(talk, actor) : mayRead(talk, actor);
  if (!found.ok) return found;
  const { state, participants } = found.value;
  if (isIn(found.value, actor)) return ok(reopened(state, at));
  if (participants.size > 0) return err({ code: 'PERMISSION_DENIED' });
  return ok([...reopened(state, at), ...enter({ talkId: state.id, customerId: state.customerId }, self, at)]);
}

const foundEmpty = (talk: Talk, actor: TalkActor): Result<Talk, Refusal> =>
  isMeant(talk, actor) && talk.state.pair === null ? ok(talk) : err({ code: 'TALK_NOT_FOUND' });

/** Soft: nothing finds it any more. */
export function decideDelete(talk: Talk | null, actor: TalkActor, at: Micros): Decided {
  const found = mayAct(talk, actor);
  if (!found.ok) return found;
  return ok([{ type: 'talk.deleted', talk: { ...found.value.state, updatedAt: at, deletedAt: at } }]);
}
