import { z } from 'zod';

const optional = z.string().default('');

/** The parameters that we read of an inbound message and of a status callback. */
export const formSchema = z.object({
  AccountSid: z.string(),
  MessageSid: z.string().min(1),
  From: optional,
  Body: optional,
  MessageStatus: optional,
  SmsStatus: optional,
  OptOutType: optional,
  ErrorCode: optional,
  ErrorMessage: optional,
});

export type TwilioForm = z.infer<typeof formSchema>;

export const sentSchema = z.object({ sid: z.string() });

export const faultSchema = z.object({ code: z.union([z.number(), z.string()]), message: z.string().catch('') });
