import type { Room } from './room.ts';
import { Outbox } from '../outbox.ts';
import { callObject, getConversation } from '../stubs.ts';
import type { Consent } from '../../domain/conversation/consent.ts';
import { microsOf, MINUTE } from '../../domain/time.ts';

/** A conversation whose first message is on its way is made within this time, or never. */
const BEING_MADE_MS = MINUTE;

/** Tells the AddressObject what the contact wants, so that the next conversation knows it too, and its other conversations. */
export const consentOutbox = (env: Env, room: Room): Outbox =>
  new Outbox(
    'consent',
    () => untold(room) !== null,
    async () => {
      const record = room.store.record();
      const consent = untold(room);
      if (!record || !consent) return;
      const stub = () => env.ADDRESS.getByName(record.addressName);
      const { current, predecessor } = await callObject(() => stub().noteConsent(consent));
      const { id, customerId } = record.conversation;
      const tell = (other: string) => callObject(() => getConversation(env, other).learnConsent(customerId, consent));
      if (predecessor !== null && predecessor !== id) await tell(predecessor);
      if (current !== null && current !== id && !(await tell(current)).ok && isFresh(consent)) {
        throw new Error('the conversation that must know is not there yet');
      }
      room.markConsentTold(consent);
    },
  );

const isFresh = ({ at }: Consent): boolean => at > microsOf(Date.now() - BEING_MADE_MS);

const untold = (room: Room) => {
  const record = room.store.record();
  return record && record.addressName !== '' ? record.untoldConsent : null;
};
