import { z } from '@hono/zod-openapi';

const CHANNELS = ['', 'sms', 'mms', 'message', 'line', 'whatsapp', 'messenger', 'email', 'chat'] as const;

/** A channel as people name it; SMS and MMS are one conversation type. Empty: none in particular. */
export const channelSchema = z
  .enum(CHANNELS)
  .default('')
  .transform((name) => (name === 'sms' || name === 'mms' ? 'message' : name));
