import type { Micros } from '../time.ts';

/** `normal`: 1:1. `group`: by invitation. `channel`: every agent of the customer may read it and join. */
export type TalkType = 'normal' | 'group' | 'channel';

/** A talk without its participants and messages: one row of its object, one JSON column in D1. */
export interface TalkState {
  id: string;
  customerId: string;
  type: TalkType;
  name: string;
  detail: string;
  lifecycle: 'active' | 'closed';
  /** Of a 1:1 talk: whose it is, in order of id, from the moment when the second one came. Nobody else ever joins it. */
  pair: string[] | null;
  memberCount: number;
  /** The log's head: dense, from 1. */
  sequence: number;
  lastMessageAt: Micros | null;
  createdAt: Micros;
  updatedAt: Micros;
  deletedAt: Micros | null;
}

/** An agent in a talk. Who leaves and comes back is a new participant. */
export interface Participant {
  id: string;
  talkId: string;
  customerId: string;
  agentId: string;
  /** What the agent was called when it joined: for system messages and mentions. */
  name: string;
  username: string;
  joinedAt: Micros;
  /** How far it says it has read. */
  readSequence: number;
}

export interface Talk {
  state: TalkState;
  /** By agent. */
  participants: ReadonlyMap<string, Participant>;
}

export interface TalkMedia {
  /** MIME type. */
  type: string;
  url: string;
  name: string;
}

export interface Reaction {
  emoji: string;
  agentId: string;
  createdAt: Micros;
}

export interface TalkMessage {
  /** Follows from its place (ids.ts); empty until it has one. */
  id: string;
  talkId: string;
  customerId: string;
  /** `system`: written by the server when somebody joins or leaves. */
  type: 'normal' | 'system';
  /** The author; null for the system. */
  ownerId: string | null;
  parentId: string | null;
  text: string;
  medias: TalkMedia[];
  /** The agents that the text names with an @. */
  mentions: string[];
  /** A set by (emoji, agent), oldest first. */
  reactions: Reaction[];
  /** The author's own name for it, echoed back; empty when there is none. */
  clientId: string;
  /** Of what its author sent (`fingerprintOf`). */
  fingerprint: number;
  /** The sequence of the event that created it: its place in the talk. */
  sequence: number;
  createdAt: Micros;
  updatedAt: Micros;
  editedAt: Micros | null;
  deletedAt: Micros | null;
}
