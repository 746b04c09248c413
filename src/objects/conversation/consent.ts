import type { Room } from './room.ts';
import { Outbox } from '../outbox.ts';
import { callObject, getConversation } from '../stubs.ts';

/** Tells the AddressObject what the contact wants, so that the next conversation knows it too. */
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
        await callObject(() => getConversation(env, conversationId).learnConsent(customerId, consent.optOut));
      }
      room.markConsentTold(consent);
    },
  );

const untold = (room: Room) => {
  const record = room.store.record();
  return record && record.addressName !== '' ? record.untoldConsent : null;
};
