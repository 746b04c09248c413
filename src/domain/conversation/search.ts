import { isMessageEvent, type ConversationEvent } from './events.ts';
import { heldAddresses, peopleOf } from './identity/participants.ts';
import { bindingsOf } from './identity/bindings.ts';
import type { ConversationState, Message } from './state.ts';

/** Scripts that are written without spaces, or whose words carry endings (Korean): they are found by any two characters in a row. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}ー々]/u;

const WORDS = /[\p{L}\p{M}\p{N}]+/gu;

interface Run {
  text: string;
  isUnspaced: boolean;
}

/** A word, parted where its script changes: `iPhone케이스`. */
function runsOf(word: string): Run[] {
  if (!UNSPACED.test(word)) return [{ text: word, isUnspaced: false }];
  const runs: Run[] = [];
  for (const character of word) {
    const isUnspaced = UNSPACED.test(character);
    const last = runs.at(-1);
    if (last?.isUnspaced === isUnspaced) last.text += character;
    else runs.push({ text: character, isUnspaced });
  }
  return runs;
}

/** `배송이` → `배송`, `송이`. */
function pairsOf(run: string): string[] {
  const characters = Array.from(run);
  return characters.length < 2 ? characters : characters.slice(1).map((next, index) => `${characters[index]}${next}`);
}

const termsOf = ({ text, isUnspaced }: Run): string[] => (isUnspaced ? pairsOf(text) : [text]);

const wordsIn = (text: string): string[] => text.normalize('NFKC').toLowerCase().match(WORDS) ?? [];

/** What a text is found by: words, and pairs of characters where there are no words. For SQLite's FTS5 with its tokenizer `unicode61`. */
export const searchTerms = (text: string): string =>
  wordsIn(text)
    .flatMap((word) => runsOf(word).flatMap(termsOf))
    .join(' ');

/** The one term of the index's column `customer`: it keeps a customer's texts apart from all others'. */
export const customerTerm = (customerId: string): string => customerId.replaceAll('-', '');

/**
 * FTS5's expression for what somebody searches: every word must be there, the last letters of one may be missing. Null: there is nothing
 * to search for.
 */
export function searchQuery(customerId: string, wanted: string): string | null {
  const phrases = wanted.split(/\s+/).flatMap(phraseOf);
  return phrases.length === 0
    ? null
    : `customer : "${customerTerm(customerId)}" AND terms : (${phrases.join(' AND ')})`;
}

/** The terms of what was typed without a space stand in a row: an address, a number with dashes, a Korean word. */
function phraseOf(typed: string): string[] {
  const runs = wordsIn(typed).flatMap(runsOf);
  const terms = runs.flatMap(termsOf);
  const last = runs.at(-1);
  if (!last) return [];
  const mayGoOn = !last.isUnspaced || Array.from(last.text).length === 1;
  return [`"${terms.join(' ')}"${mayGoOn ? ' *' : ''}`];
}

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
