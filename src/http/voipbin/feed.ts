import { createRoute, z } from '@hono/zod-openapi';
import { checkUpgrade, openSession, readerOf, socketResponse } from '../live.ts';
import { failures, security } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { getFeed } from '../../objects/stubs.ts';

const feedRoute = createRoute({
  tags: ['Live'],
  security,
  method: 'get',
  path: '/ws',
  summary: 'Subscribe to live events by topic',
  description:
    'Subscribe with `{"type":"subscribe","topics":["customer_id:<id>","agent_id:<id>"]}`; `unsubscribe` likewise. Managers and access keys listen to their customer, an agent to itself; a topic that is refused is answered by an `error` frame. A topic matches by prefix: `…:conversation:<id>`, `…:chat:<talk id>`, `…:chat:message_created:<talk id>`. Each event comes once, as `{type, sequence, data}`. There is no replay. With a `client_id` a frame is answered by an `ack`. Send `ping` now and then: after 4 MB without any sign of life the socket is closed with 4008.',
  request: { query: z.object({ ticket: z.string().optional() }) },
  responses: {
    101: { description: 'Switching protocols' },
    ...failures('ORIGIN_NOT_ALLOWED', 'UPGRADE_REQUIRED'),
  },
});

/** `/ws` and `/service_agents/ws`: the same feed (facts/voipbin.md 1.7). */
export function feedRoutes() {
  const routes = newRouter();
  routes.openapi(feedRoute, async (c) => {
    checkUpgrade(c);
    const session = { reader: readerOf(c), after: null, batch: false };
    const feed = getFeed(c.env, c.get('principal').customerId);
    return socketResponse(c, await openSession(feed, session, 'SERVICE_UNAVAILABLE'));
  });
  return routes;
}
