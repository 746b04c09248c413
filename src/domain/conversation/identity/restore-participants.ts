import { addressText, withoutProofs, type ContactAddress, type Participant } from './participants.ts';

/** The people of two conversations, as they were before the one went on in the other. */
export interface PeopleBefore {
  /** In the one that took the other over. */
  here: Participant[];
  came: Participant[];
}

/** The people of a conversation as they were before `came` came; what they have learned since about themselves stays. `gone` left. */
export function restoreParticipants(
  now: Participant[],
  { here, came }: PeopleBefore,
  gone: ContactAddress[],
): Participant[] {
  const held = textsOf(now.flatMap(({ addresses }) => addresses));
  // Who had become one with another by it. Who has left by itself since has nothing here any more.
  const apart = here
    .filter(({ id }) => !now.some((each) => each.id === id))
    .map((each) => ({ ...each, addresses: each.addresses.filter((one) => held.has(addressText(one))) }))
    .filter(({ addresses }) => addresses.length > 0);
  const theirs = textsOf(apart.flatMap(({ addresses }) => addresses));
  const stayed = now.map((each) => {
    const addresses = each.addresses.filter((one) => !theirs.has(addressText(one)));
    const before = here.find(({ id }) => id === each.id);
    return withoutTold({ ...each, addresses }, before ?? null, came, textsOf(gone));
  });
  return [...stayed, ...apart].toSorted((one, other) => one.addedAt - other.addedAt);
}

const textsOf = (addresses: ContactAddress[]): Set<string> => new Set(addresses.map(addressText));

function withoutTold(
  now: Participant,
  before: Participant | null,
  came: Participant[],
  gone: Set<string>,
): Participant {
  const own = textsOf(now.addresses);
  const typed = (before?.unverified ?? []).filter((one) => !own.has(addressText(one)));
  const wasTold = before !== null && came.some(({ unverified }) => unverified?.length);
  const wasNamed = before !== null && came.some(({ name }) => name !== '' && name === now.name);
  return {
    ...now,
    name: wasNamed ? before.name : now.name,
    ...(wasTold || typed.some((one) => gone.has(addressText(one))) ? { unverified: typed } : {}),
    ...(now.proofs ? { proofs: withoutProofs(now.proofs, [...gone]) } : {}),
  };
}
