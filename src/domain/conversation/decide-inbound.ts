import { err, ok, type Result } from '../result.ts';

import { consentIn } from './consent.ts';
import { activate, findBinding, activeBinding, newBinding, withBinding } from './identity/bindings.ts';
import { takeOver, updating, isOver } from './decide-change.ts';
import type { NewConversationEvent, Change } from './events.ts';
import { newDelivery, newMessage, decideDeleteMessage, decideReached } from './decide-message.ts';
import { reopened } from './delivery/service-window.ts';
import { attachPerson, isReleased, withAssumedAddress, withPeople, joiningOf } from './identity/participants.ts';
import type { Refusal } from '../errors.ts';
import { SYSTEM } from '../permissions.ts';
import type { Micros } from '../time.ts';
import type { InboundItem, Opening } from './commands.ts';
import type { ConversationState, Message, Person } from './state.ts';

/** A conversation's first state, before any event: `sequence` 0, which the log's first event makes 1. */
export function openConversation(opening: Opening, at: Micros): ConversationState {
  const { conversationId, customerId, name, detail, introduction } = opening;
  const people = introduction ? [introduction.person] : opening.participants;
  const bare = {
    ...newBinding(opening),
    id: conversationId,
    customerId,
    name,
    detail,
    inactiveBindings: introduction?.bindings ?? [],
    participants: [],
    addresses: [],
    ownerId: null,
    lifecycle: 'active' as const,
    aiMode: 'ai' as const,
    modeEpoch: 0,
    handedOver: false,
    tags: [],
    archived: false,
    mergedInto: null,
    mergedFrom: [],
    sequence: 0,
    lastMessageAt: null,
    createdAt: at,
    updatedAt: at,
    deletedAt: null,
  };
  return withPeople(
    bare,
    people.reduce<Person[]>((list, wanted) => {
      const { known, person } = joiningOf(list, { ...wanted, addedAt: at });
      return known ? list.map((each) => (each === known ? person : each)) : [...list, person];
    }, []),
  );
}

/**
 * What an inbound item does to a conversation. A closed or deleted conversation takes nothing more:
 * the caller asks the AddressObject for the next one (seed 002: "Conversation ended, new messages create new conversation").
 * What was said in it can still be taken back: `targets` are the messages that a redaction or a watermark is about, as far as this conversation has them.
 */
export function decideReceive(
  state: ConversationState | null,
  opening: Opening,
  item: InboundItem,
  targets: Message[],
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  if (item.kind === 'redaction') return ok(targets.flatMap((target) => decideDeleteMessage(target, at)));
  if (item.kind === 'watermark')
    return ok(targets.flatMap((target) => decideReached(target, opening.addressName, item.status, item.until, at)));
  if (item.kind === 'reachability' && !opensBy(item, state)) return ok([]);
  // A released address belongs to another conversation by now: for the caller it is as if this one were over.
  if (state && (isOver(state) || isReleased(state, opening.peer))) return err({ code: 'CONVERSATION_CLOSED' });
  const current = state ?? openConversation(opening, at);
  const opened: NewConversationEvent[] = state
    ? []
    : [{ type: 'conversation.created', conversation: current, change: null }];
  return ok([...opened, ...whatIsNew(current, opening, item, at)]);
}

function whatIsNew(state: ConversationState, opening: Opening, item: OpeningItem, at: Micros): NewConversationEvent[] {
  const refreshed = refresh(state, opening, item, at);
  // Only what the contact itself writes makes a binding the active one.
  const standing = refreshed && item.kind !== 'message' ? activate(refreshed, activeBinding(state)) : refreshed;
  const changed = standing ? [updating(state, standing, originOf(item))] : [];
  if (item.kind === 'reachability') return changed;
  const seen = refreshed ?? activate(state, newBinding(opening));
  const message = item.kind === 'echo' ? echoed(seen, item, at) : incoming(seen, item, at);
  return [...changed, { type: 'message.created', message, becameDone: false }];
}

/** An echo is a person's reply; everything else is the contact's doing. */
const originOf = (item: OpeningItem): Pick<Change, 'actor' | 'reason'> =>
  item.kind === 'echo'
    ? { actor: { type: 'device', id: '' }, reason: 'reply' }
    : { actor: { type: 'contact', id: item.kind === 'message' ? item.senderId : '' }, reason: 'contact' };

type OpeningItem = Exclude<InboundItem, { kind: 'redaction' | 'watermark' }>;

/** Somebody who follows for the first time begins a conversation; nobody begins one by leaving, or after the last one is over. */
const opensBy = (item: { reachable: boolean }, state: ConversationState | null): boolean =>
  state ? !isOver(state) : item.reachable;

/**
 * What the item tells about the contact: a name that was unknown, being reachable, being awake again; and by which account it came,
 * because a number may move to another provider, and answers go where the contact was heard last. Null when nothing is new.
 */
function refresh(state: ConversationState, opening: Opening, item: OpeningItem, at: Micros): ConversationState | null {
  const seen = seenBy(state, opening);
  const moded = item.kind === 'echo' ? takeOver(seen, at) : null;
  const targetName = opening.peer.targetName || seen.peer.targetName;
  const signals = { ...signalsOf(item, opening, seen), accountId: opening.accountId };
  const isElsewhere = item.kind === 'message' ? seen !== state : findBinding(state, opening.addressName) === null;
  const isNews = targetName !== seen.peer.targetName || SIGNALS.some((key) => signals[key] !== seen[key]);
  if (!isElsewhere && moded === null && !isNews) return null;
  return { ...(moded ?? seen), ...signals, peer: { ...seen.peer, targetName }, updatedAt: at };
}

/** The conversation with the binding that the contact uses as the active one, and with what the contact says of itself. */
function seenBy(state: ConversationState, opening: Opening): ConversationState {
  const { introduction } = opening;
  const introduced = introduction
    ? attachPerson(introduction.bindings.reduce(withBinding, state), introduction.person)
    : state;
  return withAssumedAddress(activate(introduced, newBinding(opening)), opening.peer);
}

const SIGNALS = ['reachable', 'lifecycle', 'archived', 'optOut', 'window', 'accountId'] as const;

type Signals = Pick<ConversationState, 'reachable' | 'lifecycle' | 'archived' | 'optOut' | 'window'>;

function signalsOf(item: OpeningItem, opening: Opening, seen: ConversationState): Signals {
  const { reachable, lifecycle, archived, optOut, window, peer } = seen;
  if (item.kind === 'reachability') return { reachable: item.reachable, lifecycle, archived, optOut, window };
  const awake = { lifecycle: 'active', archived: false } as const;
  if (item.kind === 'echo' || item.isNotice) return { reachable, ...awake, optOut, window };
  const reopenedBy = reopened(window, item.windowUntil, opening.window?.humanExtraMs ?? 0);
  return { reachable: true, ...awake, optOut: consentIn(item, peer) ?? optOut, window: reopenedBy };
}

function incoming(state: ConversationState, item: Extract<InboundItem, { kind: 'message' }>, at: Micros): Message {
  return {
    ...newMessage(state, item, at),
    direction: 'incoming',
    clientId: item.clientId ?? '',
    ...(item.mail ? { mail: item.mail } : {}),
    source: state.peer,
    destination: state.self,
    sender: item.isNotice ? { ...SYSTEM, name: '' } : { type: 'contact', id: item.senderId, name: item.senderName },
  };
}

/** Already with the provider when we hear of it. */
function echoed(state: ConversationState, item: Extract<InboundItem, { kind: 'echo' }>, at: Micros): Message {
  const delivery = newDelivery(state, item.deliveryId, null, at);
  return {
    ...newMessage(state, item, at),
    direction: 'outgoing',
    source: state.self,
    destination: state.peer,
    sender: { type: 'device', id: '', name: '' },
    deliveries: [{ ...delivery, status: 'sent', providerId: item.providerId }],
  };
}
