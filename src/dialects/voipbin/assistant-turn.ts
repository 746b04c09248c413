import { presentConversation } from './conversation.ts';
import { presentMessage } from './message.ts';
import type { ConversationState, Message } from '../../domain/conversation/state.ts';

interface Turn {
  conversation: ConversationState;
  messages: Message[];
  history: Message[];
}

/** What an assistant's webhook receives (spec section 11): the messages to answer, and what was said before, each oldest first. */
export const presentAssistantTurn = (turnId: string, { conversation, messages, history }: Turn) => ({
  type: 'assistant_turn',
  data: {
    turn_id: turnId,
    conversation: presentConversation(conversation),
    messages: messages.map(presentMessage),
    history: history.map(presentMessage),
  },
});
