import { createRoute, z } from '@hono/zod-openapi';
import { allow } from '../middleware/authenticate.ts';
import { answer, failures, security } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { pageQuery, pageRequest } from './pages.ts';
import { eventSchema } from './schemas/webhook.ts';
import { presentStored, wireEventsOf } from '../../dialects/voipbin/events.ts';
import { eventsAfter } from '../../storage/events.ts';

const listRoute = createRoute({
  tags: ['Webhooks'],
  security,
  middleware: allow('manager-or-admin'),
  method: 'get',
  path: '/',
  summary: 'List events, oldest first: the same events that webhooks deliver, for receivers that missed some',
  description: 'Events of Talk are only returned to access keys; agents read the talks that they are in.',
  request: {
    query: z.object({
      after: z
        .string()
        .regex(/^\d{0,15}$/, 'must be a next_page_token of an earlier response')
        .optional(),
      page_size: pageQuery.shape.page_size,
    }),
  },
  responses: {
    ...answer(
      z.object({
        result: z.array(eventSchema),
        next_page_token: z.string().openapi({ description: 'The `after` of the next request; never empty' }),
      }),
      'The events of at most `page_size` log entries',
    ),
    ...failures('PERMISSION_DENIED'),
  },
});

export const eventRoutes = newRouter();

eventRoutes.openapi(listRoute, async (c) => {
  const query = c.req.valid('query');
  const after = Number(query.after ?? 0);
  const { size } = pageRequest(query);
  const { customerId, kind } = c.get('principal');
  const stored = await eventsAfter(c.env, customerId, after, size, { withTalks: kind === 'accesskey' });
  const result = stored.flatMap((event) =>
    wireEventsOf(event).map(({ id, type }) => ({ id, ...presentStored(event, type) })),
  );
  return c.json({ result, next_page_token: String(stored.at(-1)?.position ?? after) }, 200);
});
