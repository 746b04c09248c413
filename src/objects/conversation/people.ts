import type { ConversationAggregate } from './aggregate.ts';
import type { Opening } from '../../domain/conversation/commands.ts';
import { openConversation } from '../../domain/conversation/decide-inbound.ts';
import { isOver } from '../../domain/conversation/lifecycle.ts';
import {
  absorbedIn,
  decideAttachPerson,
  decideMerge,
  decideSplitOff,
  decideUnmerge,
  type PersonAttachment,
} from '../../domain/conversation/identity/merge.ts';
import type { AbsorbedConversation, NewConversationEvent } from '../../domain/conversation/events.ts';
import { decideAdd, decideReleaseAddresses, decideRemove } from '../../domain/conversation/identity/membership.ts';
import type { ContactAddress, NewParticipant } from '../../domain/conversation/identity/participants.ts';
import { fromLogRow } from '../../domain/conversation/log-row.ts';
import type { ConversationState, Settings } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { Micros } from '../../domain/time.ts';

/** A conversation that is made on request, with its people; or the one that is there, joined by those who are missing. */
export interface OpenCommand {
  customerId: string;
  /** Null: it must be there. */
  opening: Opening | null;
  people: NewParticipant[];
  settings: Settings;
}

export function openWith(
  aggregate: ConversationAggregate,
  { customerId, opening, people, settings }: OpenCommand,
): Result<ConversationState, Refusal> {
  const at = aggregate.now();
  if (aggregate.isErased()) return err({ code: 'CONVERSATION_CLOSED' });
  const present = aggregate.store.record()?.conversation ?? null;
  if (present ? present.customerId !== customerId : opening === null) return err({ code: 'CONVERSATION_NOT_FOUND' });
  if (present && isOver(present)) return err({ code: 'CONVERSATION_CLOSED' });
  const events = present ? joined(present, people, at) : ok(opening ? [created(opening, at)] : []);
  if (!events.ok) return events;
  aggregate.commit(events.value, at, { settings });
  return aggregate.find(customerId);
}

const created = (opening: Opening, at: Micros): NewConversationEvent => ({
  type: 'conversation.created',
  conversation: openConversation(opening, at),
  change: null,
});

function joined(
  state: ConversationState,
  people: NewParticipant[],
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  const events: NewConversationEvent[] = [];
  let latest = state;
  for (const person of people) {
    const decided = decideAdd(latest, person, at);
    if (!decided.ok) return decided;
    events.push(...decided.value);
    for (const event of decided.value) latest = 'conversation' in event ? event.conversation : latest;
  }
  return ok(events);
}

export const addParticipant = (aggregate: ConversationAggregate, customerId: string, person: NewParticipant) =>
  decided(aggregate, customerId, (state, at) => joined(state, [person], at));

/** What may be done to a conversation's people from outside it, each safe to repeat. */
export type MembershipChange =
  /** What is told of somebody who is here already, and the ways by which it may be answered. Refused where the conversation is over. */
  | ({ kind: 'attach_person' } & PersonAttachment)
  /** Some of its addresses go to another conversation. */
  | { kind: 'release_addresses'; addresses: ContactAddress[] }
  /**
   * Who came with the conversation `from`, which was merged into it, leaves with it again. `absorbed`: who that was, where the log does not
   * say so because the first release merged them.
   */
  | { kind: 'split_off'; from: string; absorbed?: AbsorbedConversation }
  /** It goes on in another one, or no longer does. */
  | { kind: 'merge' | 'unmerge'; into: string };

export const changeMembership = (aggregate: ConversationAggregate, customerId: string, wanted: MembershipChange) =>
  decided(aggregate, customerId, (state, at) => {
    if (wanted.kind === 'attach_person') return decideAttachPerson(state, wanted, at);
    if (wanted.kind === 'release_addresses') return decideReleaseAddresses(state, wanted.addresses, at);
    if (wanted.kind === 'split_off')
      return decideSplitOff(state, wanted.absorbed ?? absorbed(aggregate, wanted.from), at);
    if (wanted.kind === 'merge') return decideMerge(state, wanted.into, at);
    return ok(decideUnmerge(state, wanted.into, at));
  });

function absorbed(aggregate: ConversationAggregate, from: string): AbsorbedConversation {
  const rows = aggregate.log.ofTypes(['conversation.merged_from', 'conversation.unmerged_from']);
  const events = rows.map((row) => fromLogRow(row, null));
  return absorbedIn(events, from) ?? { from, histories: [from], people: { before: [], came: [] } };
}

type Decide = (state: ConversationState, at: Micros) => Result<NewConversationEvent[], Refusal>;

/** @returns the conversation afterwards. */
function decided(
  aggregate: ConversationAggregate,
  customerId: string,
  decide: Decide,
): Result<ConversationState, Refusal> {
  const found = aggregate.find(customerId);
  if (!found.ok) return found;
  const at = aggregate.now();
  const events = decide(found.value, at);
  if (!events.ok) return events;
  aggregate.commit(events.value, at);
  return aggregate.find(customerId);
}

/** @returns the conversation as it was before: who calls must give the addresses back. */
export function removeParticipant(
  aggregate: ConversationAggregate,
  customerId: string,
  participantId: string,
): Result<ConversationState, Refusal> {
  const found = aggregate.find(customerId);
  if (!found.ok) return found;
  const at = aggregate.now();
  const events = decideRemove(found.value, participantId, at);
  if (!events.ok) return events;
  aggregate.commit(events.value, at);
  return found;
}
