import { z } from 'zod';

/** What the API's sandbox route builds of `POST /v1.0/sandbox/inbound`. */
export const inboundSchema = z.object({
  id: z.string().min(1),
  from: z.string().min(1),
  /** What the business wrote to `from` on its own telephone. */
  echo: z.boolean().default(false),
  text: z.string().default(''),
  medias: z.array(z.object({ type: z.string(), url: z.string() })).default([]),
});

export const sentSchema = z.object({ id: z.string() });

export const faultSchema = z.object({ code: z.string(), message: z.string().catch('') });
