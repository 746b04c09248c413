import { z } from '@hono/zod-openapi';
import { ERRORS, type Reason } from './errors.ts';
import { isUuid } from '../domain/ids.ts';

export const errorSchema = z
  .object({
    error: z.object({
      status: z.string().openapi({ example: 'INVALID_ARGUMENT' }),
      reason: z.string().openapi({ example: 'INVALID_ID' }),
      message: z.string(),
      request_id: z.string(),
      details: z.record(z.string(), z.unknown()).optional(),
    }),
  })
  .openapi('Error');

/** A JSON answer of a route definition. */
export const answer = <T extends z.ZodType>(schema: T, description: string) => ({
  200: { description, content: { 'application/json': { schema } } },
});

/** The JSON body of a request; always required where a route has one. */
export const body = <T extends z.ZodType>(schema: T) => ({
  body: { required: true, content: { 'application/json': { schema } } },
});

/** The error answers of a route definition, from the reasons that it can give. */
export const failures = (...reasons: Reason[]) => failuresAs(errorSchema, reasons);

/** The same in another dialect's form of an error. */
export function failuresAs(schema: z.ZodType, reasons: Reason[]) {
  const always: Reason[] = [
    'INVALID_ARGUMENT',
    'AUTHENTICATION_REQUIRED',
    'PAYLOAD_TOO_LARGE',
    'UNSUPPORTED_MEDIA_TYPE',
    'RATE_LIMIT_EXCEEDED',
    'INTERNAL',
    'SERVICE_UNAVAILABLE',
  ];
  const byStatus = new Map<number, Reason[]>();
  for (const reason of [...always, ...reasons]) {
    const status = ERRORS[reason][0];
    byStatus.set(status, [...(byStatus.get(status) ?? []), reason]);
  }
  const content = { 'application/json': { schema } };
  return Object.fromEntries(
    [...byStatus].map(([status, found]) => [status, { description: found.join(', '), content }]),
  );
}

/** Of a route that takes an Idempotency-Key and runs once under it (once.ts). */
export const KEY_REFUSALS = ['IDEMPOTENCY_KEY_REUSED', 'IDEMPOTENCY_KEY_IN_USE'] as const;

/** A UUID in lower case: ids are object names, and names are compared byte by byte. In a path, anything else is 400 INVALID_ID. */
export const uuid = z
  .string()
  .refine(isUuid, 'must be a UUID')
  .transform((id) => id.toLowerCase())
  .openapi({ format: 'uuid', type: 'string' });

export const idParam = { params: z.object({ id: uuid }) };

export const security: Record<string, string[]>[] = [{ bearer: [] }, { token: [] }, { accesskey: [] }, { cookie: [] }];

export const idempotencyHeaders = z.object({
  'idempotency-key': z.string().min(1).max(255).optional().openapi({
    description:
      'For 24 hours, a repeat with the same key and body returns the same response; with another body it returns 409.',
  }),
});

/** A secret that a customer chooses itself. ASCII, because signature libraries disagree about the bytes of anything else. */
export const webhookSecret = z
  .string()
  .min(16, 'must have at least 16 characters')
  .max(255)
  .regex(/^[\x21-\x7e]*$/, 'must be printable ASCII without spaces');
