import type { Refusal } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import type { Micros } from '../time.ts';
import { isIn, isMeant, mayRead, mayWrite } from './access.ts';
import type { TalkActor, TalkEdit, TalkSend } from './commands.ts';
import type { NewTalkEvent } from './events.ts';
import type { Talk, TalkMessage, Participant } from './state.ts';

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

const FNV_PRIME = 0x01000193;
const FNV_OFFSET = 0x811c9dc5;

/**
 * What tells a repeated send from another one under the same client_id, also after the message was edited or deleted: FNV-1a in 32 bits.
 * It is compared between two messages that one client gave one name, so it need not withstand anybody.
 */
export function fingerprintOf({ text, medias, parentId }: TalkSend): number {
  let hash = FNV_OFFSET;
  for (const character of JSON.stringify([text, medias, parentId])) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), FNV_PRIME);
  }
  return hash >>> 0;
}

/** The most `@` signs that are looked at, so that a text of nothing but `@` costs no more than this. */
const MOST = 100;

type Named = Pick<Participant, 'agentId' | 'name' | 'username'>;

/**
 * The participants that a text names: `@` and a user name, the part of it before its own `@`, or the displayed name, in any case.
 * Of several that fit at one place the longest counts; what two participants share names nobody.
 */
export function mentionsIn(text: string, participants: Iterable<Named>): string[] {
  if (!text.includes('@')) return [];
  const handles = handlesOf(participants);
  const lower = text.toLowerCase();
  const found = new Set<string>();
  let looked = 0;
  for (let at = lower.indexOf('@'); at !== -1 && looked < MOST; at = lower.indexOf('@', at + 1)) {
    looked += 1;
    const named = isInsideWord(lower, at) ? undefined : handles.find(([handle]) => startsHere(lower, handle, at + 1));
    if (named?.[1] !== undefined) found.add(named[1]);
  }
  return [...found];
}

/** Longest first, each with its agent; undefined where two share it. */
function handlesOf(participants: Iterable<Named>): [string, string | undefined][] {
  const handles = new Map<string, string | undefined>();
  for (const { agentId, name, username } of participants) {
    for (const handle of new Set([username, username.split('@')[0] ?? '', name].map((each) => each.toLowerCase()))) {
      if (handle !== '') handles.set(handle, handles.has(handle) ? undefined : agentId);
    }
  }
  return [...handles].toSorted(([a], [b]) => b.length - a.length);
}

/** An e-mail address in a text names nobody. */
const isInsideWord = (text: string, at: number): boolean => at > 0 && /[\p{L}\p{N}_]/u.test(text.charAt(at - 1));

const startsHere = (text: string, handle: string, at: number): boolean =>
  text.startsWith(handle, at) && !/^[\p{L}\p{N}_]/u.test(text.slice(at + handle.length, at + handle.length + 2));
