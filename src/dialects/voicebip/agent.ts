import { writeId } from './ids.ts';
import { second } from './times.ts';
import type { Micros } from '../../domain/time.ts';
import { defined } from '../../domain/optional.ts';

/** What `/v1.0` calls an assistant. */
interface Assistant {
  id: string;
  name: string;
  webhookUrl: string;
  createdAt: Micros;
  updatedAt: Micros;
}

/** `secret`: only in the answer that creates it. */
export const presentAgent = (assistant: Assistant, secret?: string) => ({
  agent_id: writeId('agt', assistant.id),
  name: assistant.name,
  webhook_url: assistant.webhookUrl,
  ...defined({ webhook_secret: secret }),
  created_at: second(assistant.createdAt),
  updated_at: second(assistant.updatedAt),
});
