import {
  addressText,
  verifiedAddress,
  type ContactAddress,
  type NewParticipant,
} from '../domain/conversation/identity/participants.ts';
import { uuidFrom } from '../security/encoding.ts';

/** A person as it joins a conversation. Its contact is known by the first of its addresses, everywhere and without being asked for. */
export async function participantOf(
  customerId: string,
  name: string,
  addresses: readonly ContactAddress[],
  preferredChannel = '',
): Promise<NewParticipant> {
  const [first] = addresses;
  const contactId = await uuidFrom(`contact ${customerId} ${first ? addressText(first) : ''}`);
  return { id: crypto.randomUUID(), contactId, name, preferredChannel, addresses: addresses.map(verifiedAddress) };
}
