import { participantLeft } from './decide-membership.ts';
import { withBinding } from './bindings.ts';
import {
  claimedAddresses,
  heldAddresses,
  isAmong,
  isSameAddress,
  withoutHeld,
  type PersonUpdate,
  attachPerson,
  knownAs,
  peopleOf,
  releaseAddresses,
  withoutReleases,
  withPeople,
} from './participants.ts';
import type { Refusal } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import type { Micros } from '../../time.ts';
import type { ConversationEvent, NewConversationEvent } from '../events.ts';
import type { AbsorbedConversation, PeopleBefore } from '../../contacts.ts';
import { isOver } from '../decide-change.ts';
import type { ConversationState, ContactAddress, Person, PersonAddress, ChannelBinding } from '../state.ts';

/**
 * Two conversations turn out to be with one person: one ends (`merged`) and goes on in the other (`merged_from`). Both logs say so, and the
 * second one says who was there before and who came, so that the end of the merger (`unmerged`, `unmerged_from`) needs nothing else.
 */

/** It goes on in another conversation. It keeps what it holds, so that the end of the merger brings all of it back. */
export function decideMerge(
  state: ConversationState,
  into: string,
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  if (state.mergedInto === into) return ok([]);
  // A conversation that has gone on here cannot take this one over: in a circle nobody would be reached.
  if (isOver(state) || state.mergedFrom.includes(into)) return err({ code: 'CONVERSATION_CLOSED' });
  const conversation = { ...state, mergedInto: into, updatedAt: at };
  return ok([{ type: 'conversation.merged', conversation, change: null, merger: { into } }]);
}

/** It goes on by itself again. */
export function decideUnmerge(state: ConversationState, into: string, at: Micros): NewConversationEvent[] {
  if (state.mergedInto !== into) return [];
  const conversation = { ...state, mergedInto: null, updatedAt: at };
  return [{ type: 'conversation.unmerged', conversation, change: null, merger: { into } }];
}

export interface PersonAttachment {
  person: PersonUpdate;
  bindings: ChannelBinding[];
  /** The conversation that goes on here with this person; null where only the person is told of. */
  merges: MergingConversation | null;
}

export interface MergingConversation {
  from: string;
  /** It and what had gone on in it: their messages are part of this conversation's history from then on. */
  histories: string[];
  came: Person[];
}

/** What is told of somebody who is here already, and the bindings by which that person may be answered. Repeating it changes nothing. */
export function decideAttachPerson(
  state: ConversationState,
  { person, bindings, merges }: PersonAttachment,
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  if (isOver(state)) return err({ code: 'CONVERSATION_CLOSED' });
  const attached = bindings.reduce(withBinding, attachPerson(withoutReleases(state, heldAddresses(person)), person));
  const mergedFrom = [...new Set([...state.mergedFrom, ...(merges?.histories ?? [])])];
  if (attached === state && mergedFrom.length === state.mergedFrom.length) return ok([]);
  const conversation = { ...attached, mergedFrom, updatedAt: at };
  if (!merges) return ok([{ type: 'conversation.updated', conversation, change: null }]);
  const { from, histories, came } = merges;
  const merger = { from, histories, people: { before: knownAs(peopleOf(state), person), came } };
  return ok([{ type: 'conversation.merged_from', conversation, change: null, merger }]);
}

/** What a log says of a conversation that has gone on in its own; null where it has not, or does so no longer. */
export function absorbedIn(events: ConversationEvent[], from: string): AbsorbedConversation | null {
  let absorbed: AbsorbedConversation | null = null;
  for (const event of events) {
    if (!('merger' in event) || !event.merger || !('from' in event.merger) || event.merger.from !== from) continue;
    if (event.type === 'conversation.unmerged_from') absorbed = null;
    // A merger that broke off is repeated: who was here before it is what its first step found.
    else
      absorbed = absorbed
        ? { ...event.merger, people: { ...event.merger.people, before: absorbed.people.before } }
        : event.merger;
  }
  return absorbed;
}

/** Who came with a conversation leaves with it, and whoever was here before is again as before. */
export function decideSplitOff(
  state: ConversationState,
  { from, histories, people }: AbsorbedConversation,
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  if (!histories.some((id) => state.mergedFrom.includes(id))) return ok([]);
  const parted = { ...state, mergedFrom: state.mergedFrom.filter((id) => !histories.includes(id)), updatedAt: at };
  const wereHere = people.before.flatMap(heldAddresses);
  const leaving = people.came.flatMap(heldAddresses).filter((one) => !isAmong(one, wereHere));
  const released = releaseAddresses(parted, leaving, withoutHeld);
  const { conversation: without, left } = released.ok ? released.value : { conversation: parted, left: [] };
  const conversation = withPeople(without, restoreParticipants(peopleOf(without), people, leaving));
  const merger = { from, histories, people: { before: [], came: [] } };
  return ok([
    ...left.map((person) => participantLeft(conversation, person)),
    { type: 'conversation.unmerged_from', conversation, change: null, merger },
  ]);
}

/**
 * The people of a conversation as they were before others came, after the addresses of these have left (`gone`). What they have learned
 * about themselves since then stays.
 */
export function restoreParticipants(now: Person[], { before, came }: PeopleBefore, gone: ContactAddress[]): Person[] {
  const held = now.flatMap(heldAddresses);
  // The merger may have made one person of several. Whoever has left since holds nothing here any more.
  const apart = before
    .filter(({ id }) => !now.some((each) => each.id === id))
    .map((each) => ({ ...each, addresses: each.addresses.filter((one) => isClaim(one) || isAmong(one, held)) }))
    .filter((each) => heldAddresses(each).length > 0);
  const theirs = apart.flatMap(heldAddresses);
  const stayed = now.map((each) => {
    const was = before.find(({ id }) => id === each.id);
    const addresses = each.addresses.filter((one) => isClaim(one) || !isAmong(one, theirs));
    const own = withoutHeld({ ...each, addresses }, gone);
    return was ? withoutTold(own, was, [...came, ...apart], [...gone, ...theirs]) : own;
  });
  return [...stayed, ...apart].toSorted((one, other) => one.addedAt - other.addedAt);
}

const isClaim = ({ standing }: PersonAddress): boolean => standing === 'claimed';

/** Without the name, the claims and the standings that `others` have brought along. */
function withoutTold(now: Person, was: Person, others: Person[], gone: ContactAddress[]): Person {
  const held = heldAddresses(now).map((one) => restoredAddress(one, heldAddresses(was)));
  const claimed = claimedAddresses(now);
  const typed = claimedAddresses(was).filter((one) => !isAmong(one, held));
  const theirClaims = others.flatMap(claimedAddresses);
  const wasTold = theirClaims.length > 0 && claimed.every((one) => isAmong(one, theirClaims));
  const isTypedAgain = typed.some((one) => isAmong(one, gone));
  const wasNamed = others.some(({ name }) => name !== '' && name === now.name);
  return {
    ...now,
    name: wasNamed ? was.name : now.name,
    addresses: [...held, ...(wasTold || isTypedAgain ? typed : claimed)],
  };
}

/** Joining people on purpose verifies what was assumed of them. It is assumed again, unless somebody has proved it since. */
function restoredAddress(address: PersonAddress, before: PersonAddress[]): PersonAddress {
  const known = before.find((one) => isSameAddress(one, address));
  return known?.standing === 'assumed' && address.provedBy.length === 0 ? { ...address, standing: 'assumed' } : address;
}
