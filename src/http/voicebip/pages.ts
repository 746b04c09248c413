import { z } from '@hono/zod-openapi';
import { invalidField } from '../errors.ts';
import { isUuid } from '../../domain/ids.ts';
import { fromBase64, sha256Hex, toBase64, utf8 } from '../../security/encoding.ts';
import type { Cursor, Page, PageRequest } from '../../storage/page.ts';

const DEFAULT_SIZE = '20';

/** `page_size` 1 to 100 (facts/voicebip.md), `page_token` as the last answer gave it. */
export const pageQuery = z.object({
  page_size: z
    .string()
    .default(DEFAULT_SIZE)
    .refine((text) => /^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= 100, 'must be 1 to 100'),
  page_token: z.string().max(500).optional(),
});

const tokenSchema = z.object({
  created_at: z.number().int(),
  id: z.string().refine(isUuid).nullable(),
  /** Of the filters that it was given under: with others it would skip and repeat rows. */
  filters: z.string(),
});

const filtersOf = async (filters: object): Promise<string> => (await sha256Hex(JSON.stringify(filters))).slice(0, 16);

/** @throws 400 for a token that is not ours, or of other filters. */
export async function pageRequest(query: z.infer<typeof pageQuery>, filters: object): Promise<PageRequest> {
  const size = Number(query.page_size);
  if (query.page_token === undefined) return { size, cursor: null };
  const token = readToken(query.page_token);
  if (!token || token.filters !== (await filtersOf(filters)))
    throw invalidField('page_token', 'must be the next_page_token of a response to the same filters and page size');
  return { size, cursor: { at: token.created_at, id: token.id } };
}

function readToken(text: string): z.infer<typeof tokenSchema> | null {
  try {
    const json = new TextDecoder().decode(fromBase64(text.replaceAll('-', '+').replaceAll('_', '/')));
    return tokenSchema.safeParse(JSON.parse(json)).data ?? null;
  } catch {
    return null;
  }
}

/** Absent on the last page. */
export async function nextToken<T>(page: Page<T>, filters: object): Promise<{ next_page_token?: string }> {
  return page.next === null ? {} : { next_page_token: await writeToken(page.next, filters) };
}

async function writeToken(cursor: Cursor, filters: object): Promise<string> {
  const token = { created_at: cursor.at, id: cursor.id, filters: await filtersOf(filters) };
  return toBase64(utf8(JSON.stringify(token)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}
