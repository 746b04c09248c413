import { bindingsOf, withoutBindings } from './bindings.ts';
import {
  claimedAddresses,
  heldAddresses,
  isAmong,
  withoutAddresses,
  peopleOf,
  withoutReleases,
  withErased,
  withPeople,
} from './participants.ts';
import type { Address } from '../../addresses.ts';
import { EVENTS, readOwnJson, type LogRow } from '../../events.ts';
import type { Micros } from '../../time.ts';
import type { Pending } from '../automation/automation.ts';
import { isMessageEvent, type ConversationEvent, type Merger, fromLogRow, toLogRow } from '../events.ts';
import type { ConversationState, Delivery, Message, ContactAddress, Person } from '../state.ts';

/** The people whom an erasure takes out, as far as they are in one conversation. */
export interface Gone {
  contactIds: string[];
  addresses: ContactAddress[];
  /** A conversation's name or detail may contain them. */
  names: string[];
}

/**
 * What an erasure of these contacts takes out of a conversation. `addresses`: those that they have elsewhere, or had here once; `left`: people
 * who have left the conversation.
 */
export function goneFrom(
  state: ConversationState,
  contactIds: string[],
  addresses: ContactAddress[] = [],
  left: Person[] = [],
): Gone {
  const isMeant = ({ contactId }: Person): boolean => contactIds.includes(contactId);
  const people = peopleOf(state);
  const theirs = [...people, ...left].filter(isMeant);
  const others = people.filter((each) => !isMeant(each)).flatMap(heldAddresses);
  // Anybody may type another's address.
  const typed = theirs.flatMap(claimedAddresses).filter((one) => !isAmong(one, others));
  const known = theirs.flatMap(heldAddresses);
  return { contactIds, addresses: [...addresses, ...known, ...typed], names: theirs.map(({ name }) => name) };
}

/** Nobody else is in the conversation, so that it is erased as a whole. */
export const isAlone = (state: ConversationState, gone: Gone): boolean => stayingOf(peopleOf(state), gone).length === 0;

const isGone = ({ addresses }: Gone, address: ContactAddress): boolean => isAmong(address, addresses);

export const targetIsGone = ({ addresses }: Gone, target: string): boolean =>
  addresses.some((one) => one.target === target);

const blank = (address: Address): Address => ({ ...address, target: '', targetName: '', name: '', detail: '' });

const scrubAddress = (gone: Gone, address: Address): Address => (isGone(gone, address) ? blank(address) : address);

/** A conversation as if they had never been in it. `erased`: names of the AddressObjects from which it accepts nothing any more. */
export function scrubState(state: ConversationState, gone: Gone, erased: string[] = []): ConversationState {
  const left = withoutBindings(state, ({ peer }) => isGone(gone, peer));
  const isBare = bindingsOf(left).every(({ peer }) => isGone(gone, peer));
  const words = wordsOf(state, gone);
  const people = withPeople(withoutReleases(left, gone.addresses), stayingOf(peopleOf(left), gone));
  return {
    ...withErased(people, erased),
    ...(isBare ? { peer: blank(left.peer), dialogId: '', addressName: '' } : {}),
    name: without(left.name, words),
    detail: without(left.detail, words),
  };
}

/** The other people, without the addresses that they shared with them. */
const stayingOf = (people: Person[], gone: Gone): Person[] =>
  people
    .filter(({ contactId }) => !gone.contactIds.includes(contactId))
    .map((each) => withoutAddresses(each, gone.addresses))
    .filter((each) => heldAddresses(each).length > 0);

/** What of them a conversation's name or detail may contain. */
function wordsOf(state: ConversationState, gone: Gone): string[] {
  const names = state.participants.filter(({ contactId }) => gone.contactIds.includes(contactId));
  const peers = bindingsOf(state).filter(({ peer }) => isGone(gone, peer));
  const words = [...gone.names, ...names.map(({ name }) => name), ...peers.map(({ peer }) => peer.targetName)];
  return [...words, ...gone.addresses.map(({ target }) => target)].filter((word) => word !== '');
}

const without = (text: string, words: string[]): string =>
  words.reduce((rest, word) => rest.replaceAll(word, ''), text);

/** A message as if they had neither written nor received it. One that nobody else had part in is deleted. */
export function scrubMessage(message: Message, gone: Gone, at: Micros): Message {
  const deliveries = scrubDeliveries(message.deliveries, gone);
  const isTheirs =
    message.direction === 'incoming'
      ? isGone(gone, message.source)
      : message.deliveries.length > 0 && deliveries.length === 0;
  const { mail, ...rest } = message;
  const addressed: Message = {
    ...rest,
    ...(mail && !isTheirs ? { mail } : {}),
    source: scrubAddress(gone, message.source),
    destination: scrubAddress(gone, message.destination),
    referenceId: targetIsGone(gone, message.referenceId) ? '' : message.referenceId,
    deliveries,
    routing: message.routing.filter((choice) => !concerns(gone, choice)),
  };
  if (!isTheirs) return addressed;
  const sender = message.direction === 'incoming' ? { ...message.sender, id: '', name: '' } : message.sender;
  return {
    ...addressed,
    text: '',
    medias: [],
    template: null,
    clientId: '',
    sender,
    deletedAt: message.deletedAt ?? at,
  };
}

const concerns = (gone: Gone, { chosen, rejected }: Message['routing'][number]): boolean =>
  [...(chosen ? [chosen] : []), ...rejected].some(({ target }) => targetIsGone(gone, target));

/** The message's deliveries to them. */
export const lostDeliveries = ({ deliveries }: Message, gone: Gone): Delivery[] =>
  deliveries.filter(({ target }) => targetIsGone(gone, target));

const scrubDeliveries = (deliveries: Delivery[], gone: Gone): Delivery[] =>
  deliveries.filter(({ target }) => !targetIsGone(gone, target));

/** A row of the log without them. It keeps its place, because the log is dense. */
export function scrubRow(row: LogRow, gone: Gone): LogRow {
  if (EVENTS[row.type] === 'conversation') return toLogRow(scrubEvent(fromLogRow(row, null), gone));
  const facts = readOwnJson<{ deliveries?: Delivery[] }>(row.facts);
  return { ...row, facts: JSON.stringify({ ...facts, deliveries: scrubDeliveries(facts.deliveries ?? [], gone) }) };
}

function scrubEvent(event: ConversationEvent, gone: Gone): ConversationEvent {
  if (isMessageEvent(event)) return event;
  const { change, participant, merger, ...rest } = event;
  const actor = change && targetIsGone(gone, change.actor.id) ? { ...change.actor, id: '' } : change?.actor;
  const [other] = participant ? stayingOf([participant], gone) : [];
  return {
    ...rest,
    conversation: scrubState(event.conversation, gone),
    change: change && actor ? { ...change, actor } : change,
    ...(other ? { participant: other } : {}),
    ...(merger ? { merger: scrubMerger(merger, gone) } : {}),
  };
}

function scrubMerger(merger: Merger, gone: Gone): Merger {
  if (!('people' in merger)) return merger;
  const { before, came } = merger.people;
  return { ...merger, people: { before: stayingOf(before, gone), came: stayingOf(came, gone) } };
}

/** Nothing is begun, and no file copied, for a message that is theirs. A turn answers to what the others have said. */
export function withoutMessages(pending: Pending, messageIds: string[]): Pending {
  const stays = ({ messageId }: { messageId: string }): boolean => !messageIds.includes(messageId);
  return {
    ...pending,
    flowStarts: pending.flowStarts.filter(stays),
    files: pending.files.filter(stays),
    pendingFallbacks: pending.pendingFallbacks.filter(stays),
  };
}
