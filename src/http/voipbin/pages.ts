import { z } from '@hono/zod-openapi';
import { blankTime, isoTime, parseTime } from '../../dialects/voipbin/times.ts';
import { isUuid } from '../../domain/ids.ts';
import type { Cursor, Page, PageRequest } from '../../storage/page.ts';

const DEFAULT_SIZE = 100;
const TOKEN_FORM = 'must be a next_page_token of an earlier response, or a time';

/** `<time>`, or `<time>,<id>` where rows tie across the page border; both forms of time (spec section 9). */
function readToken(token: string): Cursor | null {
  const [time = '', id] = token.split(',');
  const at = parseTime(time);
  if (at === null || (id !== undefined && !isUuid(id) && !id.startsWith('evt_'))) return null;
  return { at, id: id ?? null };
}

/** `page_size`: 100 unless 1..100 is given; not a number is an error. `page_token`: where the last page ended. */
export const pageQuery = z.object({
  page_size: z
    .string()
    .regex(/^-?\d+$/, 'must be a whole number')
    .optional()
    .openapi({ description: '1 to 100; any other number means 100' }),
  page_token: z
    .string()
    .refine((token) => token === '' || readToken(token) !== null, TOKEN_FORM)
    .optional(),
});

export function pageRequest(query: z.infer<typeof pageQuery>): PageRequest {
  const size = Number(query.page_size ?? DEFAULT_SIZE);
  const token = query.page_token ?? '';
  return { size: size >= 1 && size <= 100 ? size : DEFAULT_SIZE, cursor: token === '' ? null : readToken(token) };
}

export const pageSchema = <T extends z.ZodType>(row: T) =>
  z.object({
    result: z.array(row),
    next_page_token: z.string().openapi({ description: 'Empty on the last page' }),
  });

type TimeForm = 'blank' | 'iso';

/** `{result, next_page_token}` with the rows as a dialect shows them. */
export function presentPage<T, R>(page: Page<T>, present: (row: T) => R, form: TimeForm = 'blank') {
  return { result: page.rows.map(present), next_page_token: page.next === null ? '' : writeToken(page.next, form) };
}

function writeToken(cursor: Cursor, form: TimeForm): string {
  const time = form === 'iso' ? isoTime(cursor.at) : blankTime(cursor.at);
  return cursor.id === null ? time : `${time},${cursor.id}`;
}
