import { err, ok, type Result } from '../result.ts';
import type { NewConversationEvent } from './events.ts';
import type { Refusal } from '../errors.ts';
import type { Micros } from '../time.ts';
import type { InboundItem, Opening } from './commands.ts';
import { decideDeleteMessage } from './decide-message.ts';
import type { ConversationState, Message } from './state.ts';

/** A conversation's first state, before any event: `sequence` 0, which the log's first event makes 1. */
export function openConversation(opening: Opening, at: Micros): ConversationState {
  const { conversationId, ...facts } = opening;
  return {
    ...facts,
    id: conversationId,
    ownerId: null,
    lifecycle: 'active',
    aiMode: 'ai',
    modeEpoch: 0,
    tags: [],
    reachable: true,
    sequence: 0,
    lastMessageAt: null,
    createdAt: at,
    updatedAt: at,
    deletedAt: null,
  };
}

export const isOver = (state: ConversationState): boolean => state.lifecycle === 'closed' || state.deletedAt !== null;

/**
 * What an inbound item does to a conversation. A closed or deleted conversation takes nothing more:
 * the caller asks the AddressObject for the next one (seed 002: "Conversation ended, new messages create new conversation").
 * What was said in it can still be taken back: `target` is the message that a redaction names, when this conversation has it.
 */
export function decideReceive(
  state: ConversationState | null,
  opening: Opening,
  item: InboundItem,
  target: Message | null,
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  if (item.kind === 'redaction') return ok(state && target ? decideDeleteMessage(target, at) : []);
  if (item.kind === 'reachability' && !opensBy(item, state)) return ok([]);
  if (state && isOver(state)) return err({ code: 'CONVERSATION_CLOSED' });
  const current = state ?? openConversation(opening, at);
  const opened: NewConversationEvent[] = state ? [] : [{ type: 'conversation.created', conversation: current }];
  return ok([...opened, ...whatIsNew(current, opening, item, at)]);
}

function whatIsNew(state: ConversationState, opening: Opening, item: OpeningItem, at: Micros): NewConversationEvent[] {
  const refreshed = refresh(state, opening, item, at);
  const changed: NewConversationEvent[] = refreshed ? [{ type: 'conversation.updated', conversation: refreshed }] : [];
  if (item.kind !== 'message') return changed;
  return [...changed, { type: 'message.created', message: incoming(refreshed ?? state, item, at), becameDone: false }];
}

type OpeningItem = Exclude<InboundItem, { kind: 'redaction' }>;

/** Somebody who follows for the first time begins a conversation; nobody begins one by leaving, or after the last one is over. */
const opensBy = (item: { reachable: boolean }, state: ConversationState | null): boolean =>
  state ? !isOver(state) : item.reachable;

/**
 * What the item tells about the contact: a name that was unknown, being reachable, being awake again; and by which account it came,
 * because a number may move to another provider, and answers go where the contact was heard last. Null when nothing is new.
 */
function refresh(state: ConversationState, opening: Opening, item: OpeningItem, at: Micros): ConversationState | null {
  const reachable = item.kind === 'reachability' ? item.reachable : true;
  const lifecycle = item.kind === 'message' ? 'active' : state.lifecycle;
  const targetName = opening.peer.targetName || state.peer.targetName;
  const { accountId } = opening;
  const unchanged =
    accountId === state.accountId &&
    reachable === state.reachable &&
    lifecycle === state.lifecycle &&
    targetName === state.peer.targetName;
  if (unchanged) return null;
  return { ...state, accountId, reachable, lifecycle, peer: { ...state.peer, targetName }, updatedAt: at };
}

function incoming(state: ConversationState, item: Extract<InboundItem, { kind: 'message' }>, at: Micros): Message {
  return {
    id: item.messageId,
    conversationId: state.id,
    customerId: state.customerId,
    accountId: state.accountId,
    sequence: 0,
    direction: 'incoming',
    channel: state.type,
    referenceId: state.dialogId,
    text: item.text,
    medias: item.medias,
    source: state.peer,
    destination: state.self,
    sender: { type: 'contact', id: item.senderId, name: item.senderName },
    clientId: '',
    deliveries: [],
    createdAt: at,
    updatedAt: at,
    deletedAt: null,
  };
}
