import { blankTime, presentStamps } from './times.ts';
import type { Action } from '../../domain/flow/action.ts';
import type { ActiveflowStatus } from '../../domain/flow/progress.ts';
import { messageVariables, type Variables } from '../../domain/flow/variables.ts';
import type { Message } from '../../domain/conversation/state.ts';
import type { Micros } from '../../domain/time.ts';
import { defined } from '../../domain/optional.ts';

interface Row {
  id: string;
  customerId: string;
  createdAt: Micros;
  updatedAt: Micros;
  deletedAt: Micros | null;
}

interface Assistant extends Row {
  name: string;
  detail: string;
  webhookUrl: string;
  debounceMs: number;
  timeoutMs: number;
  maxFailures: number;
  history: number;
}

interface Flow extends Row {
  name: string;
  detail: string;
  fenced: boolean;
  actions: Action[];
}

interface Activeflow extends Row {
  flowId: string;
  conversationId: string;
  messageId: string;
  status: ActiveflowStatus;
  error: string;
  fenced: boolean;
  actions: Action[];
  position: number;
  executed: { id: string; type: string; outcome: string; at: Micros }[];
  variables: Variables;
}

/** `secret`: only in the answer that creates or changes it. */
export const presentAssistant = (assistant: Assistant, secret?: string) => ({
  id: assistant.id,
  customer_id: assistant.customerId,
  name: assistant.name,
  detail: assistant.detail,
  webhook_url: assistant.webhookUrl,
  ...defined({ webhook_secret: secret }),
  debounce_ms: assistant.debounceMs,
  timeout_ms: assistant.timeoutMs,
  max_failures: assistant.maxFailures,
  history: assistant.history,
  ...presentStamps(assistant),
});

export const presentFlow = (flow: Flow) => ({
  id: flow.id,
  customer_id: flow.customerId,
  name: flow.name,
  detail: flow.detail,
  fenced: flow.fenced,
  actions: flow.actions,
  ...presentStamps(flow),
});

export const presentActiveflow = ({ activeflow, message }: { activeflow: Activeflow; message: Message | null }) => ({
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
  ...presentStamps(activeflow),
});
