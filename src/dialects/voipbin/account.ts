import { isoTime, NEVER_ISO } from './times.ts';
import type { Micros } from '../../domain/time.ts';

interface Account {
  id: string;
  customerId: string;
  type: string;
  name: string;
  detail: string;
  messageFlowId: string;
  assistantId: string;
  providerData: Record<string, string | string[]>;
  fallback: boolean;
  createdAt: Micros;
  updatedAt: Micros;
  deletedAt: Micros | null;
}

/** Seed 000's account, field by field, so that no secret can slip in, plus what spec section 4.1 adds. */
export const presentAccount = (account: Account, publicUrl: string) => ({
  id: account.id,
  customer_id: account.customerId,
  type: account.type,
  name: account.name,
  detail: account.detail,
  message_flow_id: account.messageFlowId,
  tm_create: isoTime(account.createdAt),
  tm_update: isoTime(account.updatedAt),
  tm_delete: account.deletedAt === null ? NEVER_ISO : isoTime(account.deletedAt),
  assistant_id: account.assistantId,
  provider_data: account.providerData,
  fallback: account.fallback,
  hook_url: `${publicUrl}/hooks/${account.id}`,
});
