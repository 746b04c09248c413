import type { PeopleBefore } from './conversation/identity/restore-participants.ts';
import type { ContactAddress } from './conversation/identity/participants.ts';

/** Everything that a merger of two contacts has changed, in the order in which it was done. */
export interface MergeJournal {
  /** Contacts that are the winner's from then on, and whose they were before (null: their own). */
  moved: { contactId: string; before: string | null }[];
  joined: JoinedConversation[];
  /** Before. Where it was empty, it has become the loser's. */
  winnerName?: string;
}

/** An open conversation that goes on in another one, and the addresses that went along. */
export interface JoinedConversation {
  from: string;
  into: string;
  addresses: ContactAddress[];
  /** The conversations that `into` shows as its own since: `from`, and what had gone on there. Mergers made before this was kept lack it. */
  histories?: string[];
  /** As they were before. */
  people?: PeopleBefore;
}

/** A contact with everybody that it was found to be. */
export interface Contact {
  id: string;
  name: string;
  addresses: ContactAddress[];
  conversationIds: string[];
  /** Those that were merged into it. */
  mergedIds: string[];
  createdAt: number;
  updatedAt: number;
}

/** Of a merger. */
export interface Sides {
  winner: Contact;
  loser: Contact;
}
