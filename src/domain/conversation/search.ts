import { isMessageEvent, type ConversationEvent } from './events.ts';
import { heldAddresses } from './identity/participants.ts';
import { bindingsOf } from './identity/bindings.ts';
import { peopleOf } from './identity/membership.ts';
import { customerTerm, searchTerms } from '../search-text.ts';
import type { ConversationState, Message } from './state.ts';

/** What a conversation, or one of its messages, is found by. No terms: by nothing any more. */
export interface SearchDocument {
  /** A message's id, or the conversation's own. */
  key: string;
  customer: string;
  terms: string;
}

/** As far as the events change it. Receipts change nothing, and are most of the events. */
export function searchTextsOf(conversation: ConversationState, events: ConversationEvent[]): SearchDocument[] {
  const isAbout = events.some((event) => !isMessageEvent(event));
  const messages = events.flatMap((event) =>
    isMessageEvent(event) && event.type !== 'message.updated' ? [ofMessage(event.message)] : [],
  );
  return isAbout ? [...messages, ofConversation(conversation)] : messages;
}

const ofMessage = ({ id, customerId, text, medias, deletedAt }: Message): SearchDocument =>
  found(id, customerId, deletedAt === null ? [text, ...medias.map(({ filename }) => filename)] : []);

function ofConversation(state: ConversationState): SearchDocument {
  const { id, customerId, name, detail, tags, deletedAt } = state;
  const named = bindingsOf(state).flatMap(({ peer }) => [peer.targetName, peer.target]);
  const people = peopleOf(state).flatMap((each) => [each.name, ...heldAddresses(each).map(({ target }) => target)]);
  return found(id, customerId, deletedAt === null ? [name, detail, ...tags, ...new Set([...named, ...people])] : []);
}

function found(key: string, customerId: string, texts: string[]): SearchDocument {
  return { key, customer: customerTerm(customerId), terms: searchTerms(texts.join('\n')) };
}
