import { createRoute, z } from '@hono/zod-openapi';
import { allow } from '../middleware/authenticate.ts';
import { answer, failures, security } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { eventSchema } from './schemas/webhook.ts';
import { presentStored, wireEventsOf } from '../../dialects/voipbin/stored-event.ts';
import { eventsAfter } from '../../storage/events.ts';

const LOG_ROWS = 100;

const listRoute = createRoute({
  tags: ['Webhooks'],
  security,
  middleware: allow('manager-or-admin'),
  method: 'get',
  path: '/',
  summary: 'The events that webhooks carry, by pull and oldest first: what a receiver missed, it reads here',
  request: {
    query: z.object({
      after: z
        .string()
        .regex(/^\d{0,15}$/, 'must be a next_page_token of an earlier answer')
        .optional(),
    }),
  },
  responses: {
    ...answer(
      z.object({
        result: z.array(eventSchema),
        next_page_token: z.string().openapi({ description: 'Where to ask from next; never empty' }),
      }),
      'At most 100 entries of the log, with the events that each stands for',
    ),
    ...failures('PERMISSION_DENIED'),
  },
});

export const eventRoutes = newRouter();

eventRoutes.openapi(listRoute, async (c) => {
  const after = Number(c.req.valid('query').after ?? 0);
  const stored = await eventsAfter(c.env, c.get('principal').customerId, after, LOG_ROWS);
  const result = stored.flatMap((event) =>
    wireEventsOf(event).map(({ id, type }) => ({ id, ...presentStored(event, type) })),
  );
  return c.json({ result, next_page_token: String(stored.at(-1)?.position ?? after) }, 200);
});
