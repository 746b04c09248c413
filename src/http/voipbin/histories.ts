import { createRoute, z } from '@hono/zod-openapi';
import { valueOf } from '../errors.ts';
import { answer, failures, idParam, security } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { guardOf, readableConversation, type Access } from './access.ts';
import { pageQuery, pageRequest, pageSchema, presentPage } from './pages.ts';
import { changeEntrySchema, timelineEntrySchema } from './schemas/conversation.ts';
import { presentEntry, presentTimelineEntry } from '../../dialects/voipbin/change.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import { pageOf } from '../../storage/page.ts';

const common = (access: Access) => ({ tags: ['Conversations'], security, middleware: guardOf(access) });
const refusals = failures('PERMISSION_DENIED', 'CONVERSATION_NOT_FOUND');

const changesRoute = (access: Access, path: string, summary: string) =>
  createRoute({
    ...common(access),
    method: 'get',
    path,
    summary,
    request: { ...idParam, query: pageQuery },
    responses: { ...answer(pageSchema(changeEntrySchema), 'Newest first'), ...refusals },
  });

const timelineQuery = pageQuery.extend({
  page_token: z
    .string()
    .regex(/^\d*$/, 'must be a next_page_token of an earlier response')
    .optional()
    .openapi({ description: 'A sequence; entries before it are returned' }),
});

const timelineRoute = (access: Access) =>
  createRoute({
    ...common(access),
    method: 'get',
    path: '/{id}/timeline',
    summary: 'List messages and changes of mode, owner and consent in one timeline',
    request: { ...idParam, query: timelineQuery },
    responses: { ...answer(pageSchema(timelineEntrySchema), 'Newest first'), ...refusals },
  });

/** What became of a conversation's mode and owner, for who may read it. */
export function historyRoutes(access: Access) {
  const routes = newRouter();
  const histories = [
    ['mode', changesRoute(access, '/{id}/mode_history', 'List the changes of the mode')],
    ['owner', changesRoute(access, '/{id}/assignment_history', 'List the changes of the owner')],
  ] as const;

  for (const [kind, route] of histories) {
    routes.openapi(route, async (c) => {
      const { size, cursor } = pageRequest(c.req.valid('query'));
      const { id, customerId } = await readableConversation(c, c.req.valid('param').id);
      const stub = () => getConversation(c.env, id);
      const found = valueOf(await callObject(() => stub().listChanges(customerId, kind, cursor?.at ?? null, size + 1)));
      const rows = found.map((entry) => ({ ...entry, id: String(entry.sequence) }));
      return c.json(presentPage(pageOf(rows, size), presentEntry), 200);
    });
  }

  routes.openapi(timelineRoute(access), async (c) => {
    const { page_token: token = '', ...query } = c.req.valid('query');
    const { size } = pageRequest(query);
    const before = token === '' ? Number.MAX_SAFE_INTEGER : Number(token);
    const { id, customerId } = await readableConversation(c, c.req.valid('param').id);
    const found = valueOf(
      await callObject(() => getConversation(c.env, id).listTimeline(customerId, before, size + 1)),
    );
    const shown = found.slice(0, size);
    const next = found.length > size ? String(shown.at(-1)?.sequence ?? '') : '';
    return c.json({ result: shown.map(presentTimelineEntry), next_page_token: next }, 200);
  });
  return routes;
}
