import { blankTime, NEVER } from '../../dialects/voipbin/times.ts';
import { messageVariables } from '../../domain/flow/variables.ts';
import type { ActiveflowView } from '../../storage/activeflows.ts';
import type { Assistant } from '../../storage/assistants.ts';
import type { Flow } from '../../storage/flows.ts';

type Stamped = { createdAt: number; updatedAt: number; deletedAt: number | null };

const stampsOf = ({ createdAt, updatedAt, deletedAt }: Stamped) => ({
  tm_create: blankTime(createdAt),
  tm_update: blankTime(updatedAt),
  tm_delete: deletedAt === null ? NEVER : blankTime(deletedAt),
});

/** `secret`: only for the answer that makes or changes it. */
export const presentAssistant = (assistant: Assistant, secret?: string) => ({
  id: assistant.id,
  customer_id: assistant.customerId,
  name: assistant.name,
  detail: assistant.detail,
  webhook_url: assistant.webhookUrl,
  ...(secret === undefined ? {} : { webhook_secret: secret }),
  debounce_ms: assistant.debounceMs,
  timeout_ms: assistant.timeoutMs,
  max_failures: assistant.maxFailures,
  history: assistant.history,
  ...stampsOf(assistant),
});

export const presentFlow = (flow: Flow) => ({
  id: flow.id,
  customer_id: flow.customerId,
  name: flow.name,
  detail: flow.detail,
  fenced: flow.fenced,
  actions: flow.actions,
  ...stampsOf(flow),
});

export const presentActiveflow = ({ activeflow, message }: ActiveflowView) => ({
  id: activeflow.id,
  customer_id: activeflow.customerId,
  flow_id: activeflow.flowId,
  reference_type: 'conversation' as const,
  reference_id: activeflow.conversationId,
  message_id: activeflow.messageId,
  status: activeflow.status,
  error: activeflow.error,
  fenced: activeflow.fenced,
  actions: activeflow.actions,
  current_action: activeflow.status === 'running' ? (activeflow.actions[activeflow.position] ?? null) : null,
  executed_actions: activeflow.executed.map(({ at, ...executed }) => ({ ...executed, tm_execute: blankTime(at) })),
  variables: { ...activeflow.variables, ...messageVariables(activeflow.messageId, message) },
  ...stampsOf(activeflow),
});
