import type { Address } from '../addresses.ts';
import { EVENTS } from '../events.ts';
import { readOwnJson, type LogRow } from '../log-row.ts';
import type { Micros } from '../time.ts';
import { linksOf, withoutLinks } from './links.ts';
import { addressText, type ContactAddress, type Participant } from './participants.ts';
import type { ConversationState, Delivery, Message } from './state.ts';

/** Whom nothing may remember any more. */
export interface Gone {
  contactIds: string[];
  addresses: ContactAddress[];
}

/** Everybody in the conversation that is meant, and every address that they have there. */
export function goneFrom(state: ConversationState, contactIds: string[]): Gone {
  const theirs = state.participants.filter(({ contactId }) => contactIds.includes(contactId));
  const addresses = theirs.flatMap((each) => [...each.addresses, ...(each.unverified ?? [])]);
  return { contactIds, addresses };
}

/** Nobody else is in it: it goes as a whole. */
export const isAlone = (state: ConversationState, contactIds: string[]): boolean =>
  state.participants.every(({ contactId }) => contactIds.includes(contactId));

const isGone = ({ addresses }: Gone, { type, target }: ContactAddress): boolean =>
  addresses.some((one) => addressText(one) === addressText({ type, target }));

const targetIsGone = ({ addresses }: Gone, target: string): boolean => addresses.some((one) => one.target === target);

const blank = (address: Address): Address => ({ ...address, target: '', targetName: '', name: '', detail: '' });

const scrubAddress = (gone: Gone, address: Address): Address => (isGone(gone, address) ? blank(address) : address);

/** A conversation as if they had never been in it. */
export function scrubState(state: ConversationState, gone: Gone): ConversationState {
  const left = withoutLinks(state, ({ peer }) => isGone(gone, peer));
  const isBare = linksOf(left).every(({ peer }) => isGone(gone, peer));
  const words = wordsOf(state, gone);
  return {
    ...left,
    ...(isBare ? { peer: blank(left.peer), dialogId: '', addressName: '' } : {}),
    participants: left.participants.filter(({ contactId }) => !gone.contactIds.includes(contactId)),
    released: left.released.filter((text) => !gone.addresses.some((one) => addressText(one) === text)),
    name: without(left.name, words),
    detail: without(left.detail, words),
  };
}

/** By which a conversation's name may call them. */
function wordsOf(state: ConversationState, gone: Gone): string[] {
  const names = state.participants.filter(({ contactId }) => gone.contactIds.includes(contactId));
  const peers = linksOf(state).filter(({ peer }) => isGone(gone, peer));
  const words = [...names.map(({ name }) => name), ...peers.map(({ peer }) => peer.targetName)];
  return [...words, ...gone.addresses.map(({ target }) => target)].filter((word) => word !== '');
}

const without = (text: string, words: string[]): string =>
  words.reduce((rest, word) => rest.replaceAll(word, ''), text);

/** A message as if they had neither written nor got it: one of nobody else's is as good as deleted. */
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

const scrubDeliveries = (deliveries: Delivery[], gone: Gone): Delivery[] =>
  deliveries.filter(({ target }) => !targetIsGone(gone, target));

type Facts = Partial<ConversationState> & {
  deliveries?: Delivery[];
  participant?: Participant;
  change?: { actor: { id: string } } | null;
};

/** A row of the log without them. Its place stays: the log is dense. */
export function scrubRow(row: LogRow, gone: Gone): LogRow {
  const facts = readOwnJson<Facts & ConversationState>(row.facts);
  if (EVENTS[row.type] !== 'conversation') {
    return { ...row, facts: JSON.stringify({ ...facts, deliveries: scrubDeliveries(facts.deliveries ?? [], gone) }) };
  }
  const { change, participant, ...state } = facts;
  const scrubbed = scrubState({ ...state, parked: state.parked ?? [], participants: state.participants ?? [] }, gone);
  const actor = change && targetIsGone(gone, change.actor.id) ? { ...change.actor, id: '' } : change?.actor;
  const isOther = participant && !gone.contactIds.includes(participant.contactId);
  return {
    ...row,
    facts: JSON.stringify({
      ...scrubbed,
      ...(change ? { change: { ...change, actor } } : {}),
      ...(isOther ? { participant } : {}),
    }),
  };
}
