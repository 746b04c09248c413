import type { ConversationAggregate } from './aggregate.ts';
import { Outbox } from '../runtime/outbox.ts';
import { callObject, getConversation } from '../stubs.ts';
import type { Consent } from '../../domain/conversation/consent.ts';
import { microsOf, MINUTE } from '../../domain/time.ts';
import type { KnownConsent } from './store.ts';

/** A conversation whose first message is on its way is made within this time, or never. */
const BEING_MADE_MS = MINUTE;

/** Tells the AddressObject what the contact wants, so that the next conversation knows it too, and its other conversations. */
export const consentOutbox = (env: Env, aggregate: ConversationAggregate): Outbox =>
  new Outbox(
    'consent',
    () => untold(aggregate) !== null,
    async () => {
      const record = aggregate.store.record();
      const [addressName, consent] = untold(aggregate) ?? [];
      if (!record || addressName === undefined || !consent) return;
      const stub = () => env.ADDRESS.getByName(addressName);
      const { current, predecessor } = await callObject(() => stub().noteConsent(consent));
      const { id, customerId } = record.conversation;
      const tell = (other: string) =>
        callObject(() => getConversation(env, other).learnConsent(customerId, addressName, consent));
      if (predecessor !== null && predecessor !== id) await tell(predecessor);
      if (current !== null && current !== id && !(await tell(current)).ok && isFresh(consent)) {
        throw new Error('the conversation that must know is not there yet');
      }
      aggregate.markConsentTold(addressName, consent);
    },
  );

const isFresh = ({ at }: Consent): boolean => at > microsOf(Date.now() - BEING_MADE_MS);

/** The next one to tell: the address, and what is known of it. Older versions knew no names. */
function untold(aggregate: ConversationAggregate): [string, Consent] | null {
  const consents = Object.entries(aggregate.store.record()?.consents ?? {});
  const found = consents.find(([name, { untold: consent }]) => name !== '' && consent !== null);
  return found?.[1].untold ? [found[0], found[1].untold] : null;
}

/** The part of a record that remembers one more word about consent. */
export const withConsent = (aggregate: ConversationAggregate, addressName: string, heard: KnownConsent) => ({
  consents: { ...aggregate.store.record()?.consents, [addressName]: heard },
});
