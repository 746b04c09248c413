import type { TalkMedia, TalkType } from './state.ts';

/** Who acts: an agent of the talk's customer, or so it says. Every command is checked against the talk itself. */
export interface TalkActor {
  customerId: string;
  agentId: string;
  /** An administrator may delete anybody's message, and bring an empty talk back. */
  isAdmin: boolean;
  /** The talk that is meant; null where a message's id, or a socket, has led to it: other ids lead to the same object (ids.ts). */
  talkId: string | null;
}

/** An agent that comes into a talk. */
export interface Newcomer {
  agentId: string;
  name: string;
  username: string;
  participantId: string;
}

/** A talk with its first participants, the creator among them. A 1:1 talk that is there already is answered, and completed. */
export interface OpenCommand {
  talkId: string;
  customerId: string;
  type: TalkType;
  name: string;
  detail: string;
  members: Newcomer[];
}

/** Absent fields stay as they are. */
export interface TalkChanges {
  name?: string;
  detail?: string;
}

export interface TalkSend {
  text: string;
  medias: TalkMedia[];
  parentId: string | null;
  clientId: string;
}

/** Absent fields stay as they are. */
export interface TalkEdit {
  text?: string;
  medias?: TalkMedia[];
}
