import { addressText, claimedAddress, isSameAddress, withErased, withPeople } from './participants.ts';

import { isAddressType } from '../../addresses.ts';
import { readOwnValue } from '../../events.ts';
import type { JoinedConversation, MergeJournal } from '../../contacts.ts';
import type {
  ConversationState,
  ContactAddress,
  Participant,
  Person,
  PersonAddress,
  ChannelBinding,
} from '../state.ts';

/**
 * What the first release (commit aa301288) stored: states in an object's record, in the facts of its log and in D1 (`conversations.data`,
 * `events.facts`), and people also in `events.facts` and `contact_merges.journal`. It is read as today's wherever it is read, because a
 * Worker of that release may still write some while the next one is being deployed. A row gets today's shape when it is next written.
 */

/** A participant of the first release: its addresses stood in it, and what they were worth in lists beside them. */
interface FirstReleasePerson extends Participant {
  addresses: ContactAddress[];
  /** Today `claimed`. */
  unverified?: ContactAddress[];
  /** Today `provedBy`, the other way round: by visitor (addressText), the addresses (addressText) that it has proved. */
  proofs?: Record<string, string[]>;
  /** Today `assumed`: those (addressText) of `addresses` that are. */
  assumed?: string[];
}

type FirstReleaseState = Omit<ConversationState, 'participants' | 'addresses' | 'inactiveBindings'> & {
  participants: FirstReleasePerson[];
  /** Today `inactiveBindings`. */
  parked: ChannelBinding[];
  /** Today `released`: addressTexts. */
  released: string[];
};

type StoredState = ConversationState | FirstReleaseState;

type StoredParticipant = Person | FirstReleasePerson;

/**
 * A stored state in today's shape; one that has it already is returned as it is. `erasedNames`: what the record of the first release kept
 * beside the state as `forgotten`, the names of AddressObjects whose addresses were erased from it.
 */
export function upgradeStoredState(value: unknown, erasedNames: string[] = []): ConversationState {
  const stored = readOwnValue<StoredState>(value);
  if ('inactiveBindings' in stored) return withErased(stored, erasedNames);
  const { participants, parked, released, ...rest } = stored;
  const entries = released.flatMap(addressIn).map((address) => ({ ...address, standing: 'released' as const }));
  const bare = { ...rest, inactiveBindings: parked, participants: [], addresses: entries };
  return withErased(withPeople(bare, participants.map(upgradeStoredParticipant)), erasedNames);
}

export function upgradeStoredParticipant(value: unknown): Person {
  const stored = readOwnValue<StoredParticipant>(value);
  if (isToday(stored)) return stored;
  const { addresses, unverified = [], proofs = {}, assumed = [], ...participant } = stored;
  const held = addresses.map(({ type, target }): PersonAddress => {
    const text = addressText({ type, target });
    const provedBy = Object.keys(proofs).filter((visitor) => proofs[visitor]?.includes(text));
    return { type, target, standing: assumed.includes(text) ? 'assumed' : 'verified', provedBy };
  });
  const claimed = unverified.filter((one) => !addresses.some((other) => isSameAddress(one, other)));
  return { ...participant, addresses: [...held, ...claimed.map(claimedAddress)] };
}

/** What the first release kept in D1 of a conversation that goes on in another one. Nothing but the ids after the merger was undone. */
interface FirstReleaseJoin {
  from: string;
  into: string;
  addresses: ContactAddress[];
  /** Today `histories` of the event `conversation.merged_from`. */
  histories?: string[];
  /** Today `people` of that event. */
  people?: { here: FirstReleasePerson[]; came: FirstReleasePerson[] };
}

export type StoredJournal = Omit<MergeJournal, 'joined'> & { joined: (JoinedConversation | FirstReleaseJoin)[] };

/** A merger's journal in today's shape. What the first release kept of the people comes along: their conversations' logs do not have it. */
export const upgradeStoredJournal = ({ joined, ...journal }: StoredJournal): MergeJournal => ({
  ...journal,
  joined: joined.map((each) => ('addresses' in each ? upgradeJoin(each) : each)),
});

function upgradeJoin({ from, into, histories = [from], people }: FirstReleaseJoin): JoinedConversation {
  if (!people) return { from, into };
  const [before, came] = [people.here.map(upgradeStoredParticipant), people.came.map(upgradeStoredParticipant)];
  return { from, into, absorbed: { from, histories, people: { before, came } } };
}

const isToday = (stored: StoredParticipant): stored is Person =>
  !('unverified' in stored || 'proofs' in stored || 'assumed' in stored) &&
  stored.addresses.every((one) => 'standing' in one);

/** What addressText has made one text of. */
function addressIn(text: string): ContactAddress[] {
  const colon = text.indexOf(':');
  const type = text.slice(0, colon);
  return isAddressType(type) ? [{ type, target: text.slice(colon + 1) }] : [];
}
