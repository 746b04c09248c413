import type { Refusal } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import type { Micros } from '../time.ts';
import { isIn, mayAct, mayRead } from './access.ts';
import type { Newcomer, TalkActor } from './commands.ts';
import type { NewTalkEvent } from './events.ts';
import type { Participant, Talk, TalkMessage, TalkState } from './state.ts';

type Decided = Result<NewTalkEvent[], Refusal>;
type Place = { talkId: string; customerId: string };

/** Participants bring others in; into a channel anybody comes by itself. Who is there already stays who it is. */
export function decideJoin(talk: Talk | null, actor: TalkActor, newcomer: Newcomer, at: Micros): Decided {
  const found = mayRead(talk, actor);
  if (!found.ok) return found;
  const { state } = found.value;
  if (!isIn(found.value, actor) && newcomer.agentId !== actor.agentId) return err({ code: 'PERMISSION_DENIED' });
  if (state.lifecycle === 'closed') return err({ code: 'TALK_CLOSED' });
  if (isIn(found.value, newcomer)) return ok([]);
  if (state.pair && !state.pair.includes(newcomer.agentId)) {
    return err({ code: 'INVALID_FIELD', field: 'owner_id', problem: 'a 1:1 talk has exactly two participants' });
  }
  return ok(enter({ talkId: state.id, customerId: state.customerId }, newcomer, at));
}

/** A participant leaves, or is removed by another one. The last one closes the door. */
export function decideLeave(talk: Talk | null, actor: TalkActor, participantId: string, at: Micros): Decided {
  const found = mayAct(talk, actor);
  if (!found.ok) return found;
  const { state, participants } = found.value;
  const participant = [...participants.values()].find(({ id }) => id === participantId);
  if (!participant) return err({ code: 'TALK_PARTICIPANT_NOT_FOUND' });
  const left: NewTalkEvent[] = [{ type: 'talk.participant_left', participant }, said(participant, 'left', at)];
  return ok(participants.size > 1 || state.lifecycle === 'closed' ? left : [...left, closed(state, at)]);
}

const closed = (state: TalkState, at: Micros): NewTalkEvent => ({
  type: 'talk.closed',
  talk: { ...state, memberCount: 0, lastMessageAt: at, lifecycle: 'closed', updatedAt: at },
});

/** Somebody comes, and the talk says so. */
export function enter({ talkId, customerId }: Place, newcomer: Newcomer, at: Micros): [NewTalkEvent, NewTalkEvent] {
  const { participantId: id, agentId, name, username } = newcomer;
  const participant = { id, talkId, customerId, agentId, name, username, joinedAt: at, readSequence: 0 };
  return [{ type: 'talk.participant_joined', participant }, said(participant, 'joined', at)];
}

/** Seed 004's system messages: "Agent B joined the conversation." */
function said(participant: Participant, what: 'joined' | 'left', at: Micros): NewTalkEvent {
  const message: TalkMessage = {
    id: '',
    talkId: participant.talkId,
    customerId: participant.customerId,
    type: 'system',
    ownerId: null,
    parentId: null,
    text: `${participant.name || participant.username} ${what} the conversation.`,
    medias: [],
    mentions: [],
    reactions: [],
    clientId: '',
    fingerprint: 0,
    sequence: 0,
    createdAt: at,
    updatedAt: at,
    editedAt: null,
    deletedAt: null,
  };
  return { type: 'talk.message_created', message };
}

/** How far a participant has read. It never goes back; a sequence that is not there yet is a mistake. */
export function decideRead(talk: Talk | null, actor: TalkActor, sequence: number): Result<Participant, Refusal> {
  const found = mayAct(talk, actor);
  if (!found.ok) return found;
  const participant = found.value.participants.get(actor.agentId);
  if (!participant) return err({ code: 'PERMISSION_DENIED' });
  if (sequence > found.value.state.sequence) {
    return err({
      code: 'INVALID_FIELD',
      field: 'sequence',
      problem: 'must not be greater than the last event’s sequence',
    });
  }
  return ok({ ...participant, readSequence: Math.max(participant.readSequence, sequence) });
}
