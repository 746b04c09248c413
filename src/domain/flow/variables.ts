import type { Address } from '../addresses.ts';
import type { ConversationState, Message } from '../conversation/state.ts';
import { NIL_UUID } from '../ids.ts';

/** What actions may name as `${…}`, under VoIPBIN's names (its "Variable" page). */
export type Variables = Record<string, string>;

const partyVariables = (name: 'self' | 'peer', party: Address): Variables => ({
  [`voipbin.conversation.${name}.type`]: party.type,
  [`voipbin.conversation.${name}.target`]: party.target,
  [`voipbin.conversation.${name}.target_name`]: party.targetName,
  [`voipbin.conversation.${name}.name`]: party.name,
  [`voipbin.conversation.${name}.detail`]: party.detail,
});

const PARTY = ['type', 'target', 'target_name', 'name', 'detail'];

/** Every variable that a flow has while it runs. */
export const VARIABLE_NAMES: readonly string[] = [
  ...['self', 'peer'].flatMap((party) => PARTY.map((field) => `voipbin.conversation.${party}.${field}`)),
  ...['id', 'owner_id', 'state', 'ai_mode'].map((field) => `voipbin.conversation.${field}`),
  ...['id', 'text', 'direction'].map((field) => `voipbin.conversation_message.${field}`),
  ...['id', 'flow_id', 'reference_type', 'reference_id'].map((field) => `voipbin.activeflow.${field}`),
];

/** Of the conversation as it is now; `state` and `ai_mode` are ours. */
export const conversationVariables = (state: ConversationState): Variables => ({
  ...partyVariables('self', state.self),
  ...partyVariables('peer', state.peer),
  'voipbin.conversation.id': state.id,
  'voipbin.conversation.owner_id': state.ownerId ?? NIL_UUID,
  'voipbin.conversation.state': state.lifecycle,
  'voipbin.conversation.ai_mode': state.aiMode,
});

/** Of the message that started the flow; one that was deleted has no text any more. */
export const messageVariables = (id: string, message: Message | null): Variables => ({
  'voipbin.conversation_message.id': id,
  'voipbin.conversation_message.text': message?.text ?? '',
  'voipbin.conversation_message.direction': 'incoming',
});

export const activeflowVariables = (id: string, flowId: string, conversationId: string): Variables => ({
  'voipbin.activeflow.id': id,
  'voipbin.activeflow.flow_id': flowId,
  'voipbin.activeflow.reference_type': 'conversation',
  'voipbin.activeflow.reference_id': conversationId,
});

/** The text with its variables filled in; one that does not exist is empty. `encode` fits a value to where it goes. */
export const expand = (text: string, variables: Variables, encode = (value: string): string => value): string =>
  text.replaceAll(/\$\{([^}]*)\}/g, (_, name: string) => encode(valueOf(variables, name.trim())));

export const valueOf = (variables: Variables, name: string): string =>
  Object.hasOwn(variables, name) ? (variables[name] ?? '') : '';

/** JSON with the variables filled into its texts, so that no value can break out of its quotes. */
export function expandJson(value: unknown, variables: Variables): unknown {
  if (typeof value === 'string') return expand(value, variables);
  if (Array.isArray(value)) return value.map((each) => expandJson(each, variables));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, expandJson(each, variables)]));
}
