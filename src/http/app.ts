import { cors } from 'hono/cors';
import { HTTPException } from 'hono/http-exception';
import { secureHeaders } from 'hono/secure-headers';
import type { OpenAPIHono } from '@hono/zod-openapi';
import { type AppContext, type AppEnv, publicUrlOf } from './context.ts';
import { chatRoutes } from './chat/routes.ts';
import { contactRoutes } from './contacts/routes.ts';
import { docsRoutes, registerSecurity } from './docs.ts';
import { ApiError, ERRORS, type Reason } from './errors.ts';
import { hookRoutes } from './hooks/routes.ts';
import { linkedMediaRoutes, storedMediaRoutes } from './medias/routes.ts';
import { allow, authenticate } from './middleware/authenticate.ts';
import { limitBody, requireJson, requestId } from './middleware/request.ts';
import { newRouter } from './router.ts';
import { voicebipAgentRoutes } from './voicebip/agents.ts';
import { voicebipConversationRoutes } from './voicebip/conversations.ts';
import { voicebipExportRoutes } from './voicebip/export.ts';
import { voicebipMessageRoutes } from './voicebip/messages.ts';
import { voicebipWebhookRoutes } from './voicebip/webhook-test.ts';
import { accessKeyRoutes } from './voipbin/access-keys.ts';
import { accountRoutes } from './voipbin/accounts.ts';
import { activeflowRoutes } from './voipbin/activeflows.ts';
import { agentRoutes } from './voipbin/agents.ts';
import { assistantRoutes } from './voipbin/assistants.ts';
import { authRoutes } from './voipbin/auth.ts';
import { bootstrapRoutes } from './voipbin/bootstrap.ts';
import { conversationRoutes } from './voipbin/conversations.ts';
import { customerRoutes } from './voipbin/customer.ts';
import { eventRoutes } from './voipbin/events.ts';
import { feedRoutes } from './voipbin/feed.ts';
import { flowRoutes } from './voipbin/flows.ts';
import { historyRoutes } from './voipbin/histories.ts';
import { meRoutes } from './voipbin/me.ts';
import { mediaRoutes } from './voipbin/medias.ts';
import { messageRoutes } from './voipbin/messages.ts';
import { newConversationRoutes } from './voipbin/new-conversation.ts';
import { participantRoutes } from './voipbin/participants.ts';
import { sandboxRoutes } from './voipbin/sandbox.ts';
import { ticketRoutes } from './voipbin/stream-tickets.ts';
import { talkChannelRoutes, talkRoutes } from './voipbin/talk/chats.ts';
import { talkLiveRoutes } from './voipbin/talk/live.ts';
import { talkMessageListRoutes, talkMessagesRoutes } from './voipbin/talk/messages.ts';
import { talkMessageRoutes } from './voipbin/talk/one-message.ts';
import { talkParticipantRoutes } from './voipbin/talk/participants.ts';
import { templateRoutes } from './voipbin/templates.ts';
import { streamRoutes } from './voipbin/streams.ts';
import { webhookDeliveryRoutes } from './voipbin/webhook-deliveries.ts';
import { webhookEndpointRoutes } from './voipbin/webhook-endpoints.ts';
import { presentError as presentFlatError } from '../dialects/voicebip/error.ts';
import { presentError } from '../dialects/voipbin/error.ts';
import { errorName, log } from '../log.ts';

/** The whole HTTP surface: what every request passes, and where each family of routes is mounted. */
export function createApp(): OpenAPIHono<AppEnv> {
  const app = newRouter();
  registerSecurity(app);
  app.use(
    requestId,
    cors({ origin: '*', maxAge: 86_400, exposeHeaders: ['Retry-After', 'X-Request-Id', 'ETag'] }),
    limitBody,
  );
  app.use((c, next) => (c.req.header('upgrade') ? next() : secureHeaders()(c, next)));
  app.get('/', (c) => c.redirect('/docs'));
  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.route('/hooks', hookRoutes);
  app.route('/medias', linkedMediaRoutes);
  app.route('/chat', chatRoutes());
  app.use('/auth/*', requireJson);
  app.route('/auth', authRoutes);
  app.route('/v1.0', voipbin());
  app.route('/v1', voicebip());
  app.route('/', docsRoutes(app));
  app.notFound((c) => problem(c, new ApiError('ROUTE_NOT_FOUND')));
  app.onError((error, c) => problem(c, asApiError(error)));
  return app;
}

function voipbin(): OpenAPIHono<AppEnv> {
  const api = newRouter();
  api.use(requireJson);
  api.route('/auth', authRoutes);
  api.route('/', bootstrapRoutes);
  api.use(authenticate);
  api.route('/', meRoutes);
  api.route('/', customerRoutes);
  api.route('/agents', agentRoutes);
  api.route('/accesskeys', accessKeyRoutes);
  api.route('/conversation_accounts', accountRoutes);
  api.route('/conversation-accounts', accountRoutes);
  api.route('/conversation_accounts', templateRoutes);
  api.route('/conversations', streamRoutes);
  api.route('/conversations', mediaRoutes);
  api.route('/conversations', newConversationRoutes);
  api.route('/conversations', conversationRoutes('managers'));
  api.route('/conversations', participantRoutes('managers'));
  api.route('/conversations', messageRoutes('managers'));
  api.route('/conversations', historyRoutes('managers'));
  api.route('/service_agents/conversations', streamRoutes);
  api.route('/service_agents/conversations', conversationRoutes('owners'));
  api.route('/service_agents/conversations', participantRoutes('owners'));
  api.route('/service_agents/conversations', messageRoutes('owners'));
  api.route('/service_agents/conversations', historyRoutes('owners'));
  api.route('/', contactRoutes);
  api.route('/assistants', assistantRoutes);
  api.route('/flows', flowRoutes);
  api.route('/activeflows', activeflowRoutes);
  talk(api);
  api.route('/', feedRoutes());
  api.route('/service_agents', feedRoutes());
  api.route('/webhook_endpoints', webhookEndpointRoutes);
  api.route('/webhook_deliveries', webhookDeliveryRoutes);
  api.route('/events', eventRoutes);
  api.route('/stream_tickets', ticketRoutes);
  api.route('/sandbox', sandboxRoutes);
  api.route('/medias', storedMediaRoutes);
  return api;
}

/** Spec section 10: another way to say the same, for managers and access keys. */
function voicebip(): OpenAPIHono<AppEnv> {
  const api = newRouter();
  api.use(requireJson);
  api.use(authenticate);
  api.use(allow('manager-or-admin'));
  api.route('/conversations', voicebipConversationRoutes);
  api.route('/messages', voicebipMessageRoutes);
  api.route('/agents', voicebipAgentRoutes);
  api.route('/agents', voicebipExportRoutes);
  api.route('/webhooks', voicebipWebhookRoutes);
  return api;
}

/** Two path families over one Talk (spec section 6): VoIPBIN's own, and the one of seed 004's overview. */
function talk(api: OpenAPIHono<AppEnv>): void {
  api.route('/service_agents/talk_channels', talkChannelRoutes);
  api.route('/service_agents/talk_chats', talkLiveRoutes());
  api.route('/service_agents/talk_chats', talkRoutes());
  api.route('/service_agents/talk_chats', talkParticipantRoutes('service_agents'));
  api.route('/service_agents/talk_messages', talkMessageListRoutes);
  api.route('/service_agents/talk_messages', talkMessageRoutes());
  api.route('/talks', talkLiveRoutes());
  api.route('/talks', talkRoutes());
  api.route('/talks', talkParticipantRoutes('talks'));
  api.route('/talks', talkMessagesRoutes);
  api.route('/messages', talkMessageRoutes());
}

function problem(c: AppContext, error: ApiError): Response {
  const [status, word] = ERRORS[error.reason];
  // A handler may not have run at all, so the id may be missing.
  const id = c.get('requestId') ?? '';
  const { reason, message, details, headers } = error;
  const body = /^\/v1(?:\/|$)/.test(c.req.path)
    ? presentFlatError(status, reason, message, id, docsOf(c), details)
    : presentError(word, reason, message, id, details);
  return c.json(body, status, headers);
}

/** Answers also where the configuration is what went wrong. */
function docsOf(c: AppContext): string {
  try {
    return `${publicUrlOf(c)}/docs`;
  } catch {
    return `${new URL(c.req.url).origin}/docs`;
  }
}

/** Bugs and platform faults become 500 and 503 without a word of their own: their messages may quote data. */
function asApiError(error: Error): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof HTTPException && error.status < 500) return new ApiError(...refusedBody(error.status));
  const unavailable = isUnavailable(error);
  log('error', 'request failed', { error: errorName(error), unavailable });
  return new ApiError(
    unavailable ? 'SERVICE_UNAVAILABLE' : 'INTERNAL',
    undefined,
    undefined,
    unavailable ? { 'Retry-After': '5' } : {},
  );
}

/** What the routes' own validation refuses before any schema is asked. */
function refusedBody(status: number): [Reason, string?] {
  if (status === 400) return ['INVALID_JSON_BODY', 'the body is not valid JSON'];
  return status === 415 ? ['UNSUPPORTED_MEDIA_TYPE', 'Content-Type must be application/json'] : ['INVALID_ARGUMENT'];
}

/** D1 or an object that does not answer, as the platform and drizzle report it. */
function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('retryable' in error || 'overloaded' in error || error.message.startsWith('D1_')) return true;
  return isUnavailable(error.cause);
}
