import * as people from './people.ts';
import { ConversationQuestions } from './questions.ts';
import type { NewParticipant } from '../../domain/conversation/identity/participants.ts';
import type { ConversationState } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import type { Result } from '../../domain/result.ts';

/** The commands about who is in a conversation. */
export abstract class ConversationPeople extends ConversationQuestions {
  /** A command's answer, when what follows from it is under way. */
  protected abstract settled<T>(result: T): Promise<T>;

  openWith(command: people.OpenCommand): Promise<Result<ConversationState, Refusal>> {
    return this.settled(people.openWith(this.aggregate, command));
  }

  addParticipant(customerId: string, person: NewParticipant): Promise<Result<ConversationState, Refusal>> {
    return this.settled(people.addParticipant(this.aggregate, customerId, person));
  }

  /** Who is who, and where it goes on: mergers, and addresses that go elsewhere. @returns the conversation afterwards. */
  changeMembership(customerId: string, wanted: people.MembershipChange): Promise<Result<ConversationState, Refusal>> {
    return this.settled(people.changeMembership(this.aggregate, customerId, wanted));
  }

  removeParticipant(customerId: string, participantId: string): Promise<Result<ConversationState, Refusal>> {
    return this.settled(people.removeParticipant(this.aggregate, customerId, participantId));
  }
}
