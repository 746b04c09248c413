/**
 * A message's id begins with its talk's first 60 random bits, and a TalkObject is named by just those. So a message is found by its id
 * alone (`/messages/{id}/reactions`), at once and without a directory that could lag or be away. 60 bits leave two of a million talks
 * alike with a probability of 1 in two million, and an object refuses to be opened as a second talk.
 */
const KEY_LENGTH = 'xxxxxxxx-xxxx-4xxx'.length;

/** The name of the object that holds this talk, or the talk of this message. */
export const talkKey = (id: string): string => id.slice(0, KEY_LENGTH);

/** A new message's id: a version 4 UUID like any other. `random` is one that nobody has. */
export const messageIdIn = (talkId: string, random: string): string => talkKey(talkId) + random.slice(KEY_LENGTH);
