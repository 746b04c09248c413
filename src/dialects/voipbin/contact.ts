import { blankTime } from './times.ts';
import type { Contact, JoinedConversation } from '../../domain/contacts.ts';
import type { Micros } from '../../domain/time.ts';

export const presentContact = ({ id, name, addresses, conversationIds, mergedIds, createdAt, updatedAt }: Contact) => ({
  id,
  name,
  addresses,
  conversation_ids: conversationIds,
  merged_ids: mergedIds,
  tm_create: blankTime(createdAt),
  tm_update: blankTime(updatedAt),
});

interface Merge {
  id: string;
  winnerId: string;
  loserId: string;
  journal: { joined: Pick<JoinedConversation, 'from' | 'into'>[] };
  createdAt: Micros;
  undoneAt: Micros | null;
}

export const presentMerge = ({ id, winnerId, loserId, journal, createdAt, undoneAt }: Merge) => ({
  id,
  contact_id: winnerId,
  merged_contact_id: loserId,
  joined_conversations: journal.joined.map(({ from, into }) => ({ from, into })),
  tm_create: blankTime(createdAt),
  undone: undoneAt !== null,
});

/** The receipt of an erasure: counts only, no content. */
interface Receipt {
  id: string;
  contactId: string;
  conversationIds: string[];
  messages: number;
  files: number;
  createdAt: Micros;
}

export const presentReceipt = ({ id, contactId, conversationIds, messages, files, createdAt }: Receipt) => ({
  id,
  contact_id: contactId,
  conversations: conversationIds.length,
  messages,
  files,
  tm_create: blankTime(createdAt),
});
