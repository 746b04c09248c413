import { readOwnValue } from '../../log-row.ts';
import type { Participant } from './participants.ts';
import type { ConversationState } from '../state.ts';

/**
 * A conversation as the release aa301288 or this one stored it, in the present shape. Values of the present shape come back as they are:
 * D1 keeps rows of both releases, and every one of them is read through here.
 */
export const upgradeStoredState = (stored: unknown): ConversationState => readOwnValue<ConversationState>(stored);

/** The same for the participant that an event of the log names. */
export const upgradeStoredParticipant = (stored: unknown): Participant => readOwnValue<Participant>(stored);
