import { z } from '@hono/zod-openapi';
import type { Reason } from '../errors.ts';
import { failuresAs } from '../openapi.ts';
import { readId, type IdKind } from '../../dialects/voicebip/ids.ts';

export const voicebipErrorSchema = z
  .object({
    error_code: z.string().openapi({ example: 'NOT_FOUND' }),
    message: z.string(),
    request_id: z.string(),
    documentation_url: z.string(),
    details: z.record(z.string(), z.unknown()).optional(),
  })
  .openapi('VoicebipError');

/** The error answers of a route, from the reasons that it can give beside those that every route can. */
export const failures = (...reasons: Reason[]) => failuresAs(voicebipErrorSchema, ['PERMISSION_DENIED', ...reasons]);

/** An id of this dialect, read as the UUID that it stands for; anything else is 400. */
export const idOf = (kind: IdKind) =>
  z
    .string()
    .transform((text, context) => {
      const uuid = readId(kind, text);
      if (uuid !== null) return uuid;
      context.addIssue({ code: 'custom', message: `must be an id of the form ${kind}_…` });
      return z.NEVER;
    })
    .openapi({ type: 'string', example: `${kind}_6uDWeqqbDgZJu8g3hUzbJ9` });

export const time = z.string().openapi({ example: '2026-05-15T10:15:00Z' });
