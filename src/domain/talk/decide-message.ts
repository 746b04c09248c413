import type { Refusal } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import type { Micros } from '../time.ts';
import { isIn, isMeant, mayRead, mayWrite } from './access.ts';
import type { TalkActor, TalkEdit, TalkSend } from './commands.ts';
import type { NewTalkEvent } from './events.ts';
import { fingerprintOf } from './fingerprint.ts';
import { mentionsIn } from './mentions.ts';
import type { Talk, TalkMessage } from './state.ts';

type Decided = Result<NewTalkEvent[], Refusal>;

/** `hasParent`: whether this talk has the message that the new one answers; a deleted one keeps its place. */
export function decideSend(
  talk: Talk | null,
  actor: TalkActor,
  command: TalkSend,
  hasParent: boolean,
  at: Micros,
): Decided {
  const found = mayWrite(talk, actor);
  if (!found.ok) return found;
  if (command.parentId !== null && !hasParent) {
    return err({ code: 'INVALID_FIELD', field: 'parent_id', problem: 'is not a message of this talk' });
  }
  const { text, medias, parentId, clientId } = command;
  const { state, participants } = found.value;
  const message: TalkMessage = {
    id: '',
    talkId: state.id,
    customerId: state.customerId,
    type: 'normal',
    ownerId: actor.agentId,
    parentId,
    text,
    medias,
    mentions: mentionsIn(text, participants.values()),
    reactions: [],
    clientId,
    fingerprint: fingerprintOf(command),
    sequence: 0,
    createdAt: at,
    updatedAt: at,
    editedAt: null,
    deletedAt: null,
  };
  return ok([{ type: 'talk.message_created', message }]);
}

/** The author's alone, while it is in the talk. */
export function decideEdit(
  talk: Talk | null,
  actor: TalkActor,
  message: TalkMessage | null,
  edit: TalkEdit,
  at: Micros,
): Decided {
  const found = mayWrite(talk, actor);
  if (!found.ok) return found;
  if (!message || message.deletedAt !== null) return err({ code: 'TALK_MESSAGE_NOT_FOUND' });
  if (message.ownerId !== actor.agentId) return err({ code: 'PERMISSION_DENIED' });
  const { text = message.text, medias = message.medias } = edit;
  if (text.trim() === '' && medias.length === 0) {
    return err({ code: 'INVALID_FIELD', field: 'text', problem: 'is required unless there are medias' });
  }
  if (text === message.text && JSON.stringify(medias) === JSON.stringify(message.medias)) return ok([]);
  const mentions = mentionsIn(text, found.value.participants.values());
  const edited = { ...message, text, medias, mentions, updatedAt: at, editedAt: at };
  return ok([{ type: 'talk.message_updated', message: edited }]);
}

/** By its author in the talk, or by an administrator. Its place stays; what it said is gone. A second time changes nothing. */
export function decideDeleteMessage(
  talk: Talk | null,
  actor: TalkActor,
  message: TalkMessage | null,
  at: Micros,
): Decided {
  if (!talk || !isMeant(talk, actor)) return err({ code: 'TALK_MESSAGE_NOT_FOUND' });
  // Who may not see a talk is not told which messages it has either.
  if (!actor.isAdmin && !mayRead(talk, actor).ok) return err({ code: 'PERMISSION_DENIED' });
  if (!message) return err({ code: 'TALK_MESSAGE_NOT_FOUND' });
  const isAuthor = isIn(talk, actor) && message.ownerId === actor.agentId;
  if (!isAuthor && !actor.isAdmin) return err({ code: 'PERMISSION_DENIED' });
  if (message.deletedAt !== null) return ok([]);
  const emptied = { ...message, text: '', medias: [], mentions: [], updatedAt: at, deletedAt: at };
  return ok([{ type: 'talk.message_deleted', message: emptied }]);
}
