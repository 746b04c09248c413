import { blankTime, presentStamps } from './times.ts';
import type { Micros } from '../../domain/time.ts';
import { defined } from '../../domain/optional.ts';

interface Row {
  id: string;
  name: string;
  detail: string;
  createdAt: Micros;
  updatedAt: Micros;
  deletedAt: Micros | null;
}

interface Agent extends Row {
  customerId: string;
  username: string;
  permission: number;
  status: string;
}

interface AccessKey extends Row {
  customerId: string;
  tokenPrefix: string;
  expiresAt: Micros;
}

interface Customer extends Row {
  idleTimeoutS: number;
  closeTimeoutS: number;
}

/** The endpoint that represents the customer's own webhook. */
interface CustomerHook {
  method: string;
  status: string;
  url: string;
}

export const presentAgent = (agent: Agent) => ({
  id: agent.id,
  customer_id: agent.customerId,
  username: agent.username,
  name: agent.name,
  detail: agent.detail,
  permission: agent.permission,
  status: agent.status,
  ...presentStamps(agent),
});

/** `token`: only in the answer that creates the key; it cannot be shown again. */
export const presentAccessKey = (key: AccessKey, token?: string) => ({
  id: key.id,
  customer_id: key.customerId,
  name: key.name,
  detail: key.detail,
  ...defined({ token }),
  token_prefix: key.tokenPrefix,
  tm_expire: blankTime(key.expiresAt),
  ...presentStamps(key),
});

/** `secret` is undefined if the caller may not see it. The webhook fields are those of the customer's own endpoint. */
export const presentCustomer = (customer: Customer, hook: CustomerHook | null, secret: string | undefined) => ({
  id: customer.id,
  name: customer.name,
  detail: customer.detail,
  webhook_method: hook?.method ?? 'POST',
  webhook_uri: hook?.status === 'enabled' ? hook.url : '',
  ...defined({ webhook_secret: secret }),
  conversation_idle_timeout: customer.idleTimeoutS,
  conversation_close_timeout: customer.closeTimeoutS,
  ...presentStamps(customer),
});
