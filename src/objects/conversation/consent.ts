import type { Room } from './room.ts';
import { Outbox } from '../outbox.ts';
import { callObject, getConversation } from '../stubs.ts';
import { microsOf, MINUTE } from '../../domain/time.ts';

/** A conversation whose first message is on its way is made within this time, or never. */
const BEING_MADE_MS = MINUTE;

/** Tells the AddressObject what the contact wants, so that the next conversation knows it too, and the one that answers by now. */
export const consentOutbox = (env: Env, room: Room): Outbox =>
  new Outbox(
    'consent',
    () => untold(room) !== null,
    async () => {
      const record = room.store.record();
      const consent = untold(room);
      if (!record || !consent) return;
      const stub = () => env.ADDRESS.getByName(record.addressName);
      const { conversationId } = await callObject(() => stub().noteConsent(consent));
      const { id, customerId } = record.conversation;
      if (conversationId !== null && conversationId !== id) {
        const learnt = await callObject(() => getConversation(env, conversationId).learnConsent(customerId, consent));
        const isBeingMade = !learnt.ok && microsOf(Date.now() - BEING_MADE_MS) < consent.at;
        if (isBeingMade) throw new Error('the conversation that must know is not there yet');
      }
      room.markConsentTold(consent);
    },
  );

const untold = (room: Room) => {
  const record = room.store.record();
  return record && record.addressName !== '' ? record.untoldConsent : null;
};
