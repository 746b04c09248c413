/**
 * A message's id is made of its place: the talk's first 60 random bits, and the message's sequence. A TalkObject is named by just those
 * 60 bits. So a message is found by its id alone (`/messages/{id}/reactions`), without a directory that could lag or be away, and its
 * object finds it without an index, which would cost a page of its own for every message. 60 bits leave two of a million talks alike
 * with a probability of 1 in two million, and an object refuses to be opened as a second talk.
 */
const KEY_LENGTH = 'xxxxxxxx-xxxx-4xxx'.length;
const VARIANT = '-8000-';
const SEQUENCE_LENGTH = 12;

/** The name of the object that holds this talk, or the talk of this message. */
export const talkKey = (id: string): string => id.slice(0, KEY_LENGTH);

/** In the form of a version 4 UUID, like every other id. */
export const messageIdAt = (talkId: string, sequence: number): string =>
  talkKey(talkId) + VARIANT + sequence.toString(16).padStart(SEQUENCE_LENGTH, '0');

/** The place that an id names; whether there is a message of that id, the object knows. */
export const sequenceIn = (messageId: string): number => Number.parseInt(messageId.slice(-SEQUENCE_LENGTH), 16);
