import type { ContactAddress, Person } from './conversation/state.ts';

/**
 * What a merger of two contacts has changed, in the order in which it was done. What happened to the people of each conversation is in the
 * conversations' own logs (conversation/identity/merge.ts).
 */
export interface MergeJournal {
  /** Contacts that were merged into the winner, and into which each was merged before (null: into none). */
  moved: { contactId: string; before: string | null }[];
  joined: JoinedConversation[];
  /** Before the merger. A winner without a name has taken the loser's. */
  winnerName?: string;
}

/** An open conversation that goes on in another one. */
export interface JoinedConversation {
  from: string;
  into: string;
  /** Of mergers that the first release made, whose logs do not say who came: it kept that here. */
  absorbed?: AbsorbedConversation;
}

/** A contact, together with all contacts that were merged into it. */
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

/** The two contacts of a merger. */
export interface Sides {
  winner: Contact;
  loser: Contact;
}

/** A conversation that goes on in another one, as the log of that other one has it. */
export interface AbsorbedConversation {
  from: string;
  /** `from` and what had gone on in it: their messages are part of the history of the one that goes on. */
  histories: string[];
  people: PeopleBefore;
}

/** The people of both conversations before the merger; at its end, nobody. */
export interface PeopleBefore {
  /** In the one that goes on: those whom the merger makes one person with those who came. */
  before: Person[];
  came: Person[];
}
