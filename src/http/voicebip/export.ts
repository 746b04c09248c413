import { createRoute, z } from '@hono/zod-openapi';
import { security } from '../openapi.ts';
import { ownedOr404 } from '../owned.ts';
import { newRouter } from '../router.ts';
import { failures, idOf } from './openapi.ts';
import { EXPORT_FORMATS, presentExported, type ExportFormat } from '../../dialects/voicebip/export.ts';
import type { ConversationState } from '../../domain/conversation/state.ts';
import { findAnsweredBy } from '../../storage/accounts.ts';
import { findAssistant } from '../../storage/assistants.ts';
import { listConversations } from '../../storage/conversations.ts';
import type { Cursor } from '../../storage/page.ts';

/** Seed 003: "up to 10,000 most-recent conversations"; `all=true` is ours. */
const LIMIT = 10_000;
/** One D1 query each, of the 1,000 that the platform lets one request make; as many rows as an isolate holds easily. */
const PAGE_SIZE = 5000;

const exportRoute = createRoute({
  tags: ['Voicebip'],
  security,
  method: 'get',
  path: '/{id}/conversations/export',
  summary: 'Export an agent’s conversations as one streamed file, newest first',
  description:
    'Up to the newest 10,000, or with `all=true` all, limited by the 1,000 database queries of one request to just under 5,000,000. ' +
    "`'` is put before cells that a spreadsheet could run as a formula. A response that fails is cut off, never closed as if it " +
    'were complete.',
  request: {
    params: z.object({ id: idOf('agt') }),
    query: z.object({
      format: z.enum(['csv', 'json']).default('json'),
      all: z.enum(['true', 'false']).default('false'),
    }),
  },
  responses: {
    200: {
      description: 'The file',
      content: { 'text/csv': { schema: z.string() }, 'application/json': { schema: z.object({}).loose() } },
    },
    ...failures('ASSISTANT_NOT_FOUND'),
  },
});

export const voicebipExportRoutes = newRouter();

voicebipExportRoutes.openapi(exportRoute, async (c) => {
  const { id } = c.req.valid('param');
  const { format, all } = c.req.valid('query');
  const { customerId } = c.get('principal');
  await ownedOr404(c, findAssistant, id, 'ASSISTANT_NOT_FOUND');
  const { [format]: written } = EXPORT_FORMATS;
  const accountIds = await findAnsweredBy(c.env, customerId, id);
  const pages = conversationPages(c.env, customerId, accountIds, all === 'true' ? Infinity : LIMIT);
  return new Response(streamOf(partsOf(written, pages, id)), {
    headers: {
      'content-type': written.contentType,
      'content-disposition': `attachment; filename="conversations.${format}"`,
      'cache-control': 'no-store',
    },
  });
});

async function* conversationPages(
  env: Env,
  customerId: string,
  accountIds: string[],
  limit: number,
): AsyncGenerator<ConversationState[]> {
  let cursor: Cursor | null = null;
  for (let left = limit; left > 0; left -= PAGE_SIZE) {
    const size = Math.min(PAGE_SIZE, left);
    const page = await listConversations(env, customerId, { accountIds }, { size, cursor });
    if (page.rows.length > 0) yield page.rows;
    if (page.next === null) return;
    cursor = page.next;
  }
}

async function* partsOf(
  format: ExportFormat,
  pages: AsyncGenerator<ConversationState[]>,
  agentId: string,
): AsyncGenerator<string> {
  yield format.head;
  let isFirst = true;
  for await (const page of pages) {
    const rows = page.map((state) => presentExported(state, agentId));
    yield format.rows(rows, isFirst);
    isFirst = false;
  }
  if (format.tail !== '') yield format.tail;
}

/** Reads on only as it is read: the memory that an export takes is a page, however long it is. */
function streamOf(parts: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const chunk = await parts.next();
      if (chunk.done) controller.close();
      else controller.enqueue(encoder.encode(chunk.value));
    },
    cancel: async () => {
      await parts.return(undefined);
    },
  });
}
