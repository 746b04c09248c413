import type { OpenAPIHono } from '@hono/zod-openapi';
import { chatLiveRoutes } from './live.ts';
import { chatMessageRoutes } from './messages.ts';
import { chatSessionRoutes } from './sessions.ts';
import { chatVerificationRoutes, chatVerifyPage } from './verify.ts';
import { allowedOrigin, visitorOnly } from './visitor.ts';
import type { AppEnv } from '../context.ts';
import { requireJson } from '../middleware/request.ts';
import { newRouter } from '../router.ts';

/** `/chat/{account_id}`: what the widget, or a chat page of the customer's own, asks for its visitors. */
export function chatRoutes(): OpenAPIHono<AppEnv> {
  const routes = newRouter();
  routes.route('/', chatVerifyPage);
  routes.use('/:account_id/*', allowedOrigin, requireJson);
  routes.route('/', chatSessionRoutes);
  routes.use('/:account_id/messages/*', visitorOnly);
  routes.use('/:account_id/ws', visitorOnly);
  routes.use('/:account_id/verifications', visitorOnly);
  routes.route('/', chatLiveRoutes);
  routes.route('/', chatMessageRoutes);
  routes.route('/', chatVerificationRoutes);
  return routes;
}
