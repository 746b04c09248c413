import { createRoute, z, type RouteHandler } from '@hono/zod-openapi';
import type { AppContext, AppEnv } from '../context.ts';
import { ApiError, invalidField, valueOf } from '../errors.ts';
import { idempotencyOf } from '../once.ts';
import { answer, body, failures, idempotencyHeaders, idParam, uuid, security } from '../openapi.ts';
import { publicUrlOf } from '../origin.ts';
import { newRouter } from '../router.ts';
import { guardOf, ownerActing, readableConversation, type Access } from './access.ts';
import { pageQuery, pageRequest, pageSchema, presentPage } from './pages.ts';
import { messageSchema, templateUseSchema } from './schemas/conversation.ts';
import { templateText, usableTemplates } from './templates.ts';
import type { Channel } from '../../channels/contract.ts';
import { overLimit } from '../../channels/limits.ts';
import { channelOf } from '../../channels/registry.ts';
import { presentMessage } from '../../dialects/voipbin/message.ts';
import { media, MAX_MEDIAS, MAX_TEXT_LENGTH, outgoingMediaSchema, wellFormed } from '../../domain/content.ts';
import type { SendCommand } from '../../domain/conversation/commands.ts';
import { actorOf } from '../../domain/permissions.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import { findAnyAccount, type Account } from '../../storage/accounts.ts';
import { findSignedIn } from '../../storage/agents.ts';
import { findTimeouts } from '../../storage/customers.ts';
import { pageOf } from '../../storage/page.ts';

const common = (access: Access) => ({ tags: ['Messages'], security, middleware: guardOf(access) });
const messageParams = { params: z.object({ id: uuid, message_id: uuid }) };

const newMessageSchema = z
  .object({
    text: z.string().max(MAX_TEXT_LENGTH).transform(wellFormed).default(''),
    medias: z.array(outgoingMediaSchema).max(MAX_MEDIAS).default([]),
    client_id: z.string().max(255).default('').openapi({ description: 'Your own name for the message, echoed back' }),
    template: templateUseSchema.optional().openapi({
      description: 'WhatsApp: one of the account’s approved templates, which may be sent at any time',
    }),
    takeover: z.boolean().default(false).openapi({
      description: 'True makes a send with an access key a person’s reply: the conversation’s mode becomes `human`',
    }),
    mode_epoch: z.number().int().min(0).optional().openapi({
      description: 'For assistants: the `mode_epoch` that their turn began with. 409 MODE_CHANGED after a takeover',
    }),
  })
  .refine(({ text, medias, template }) => text.trim() !== '' || medias.length > 0 || template !== undefined, {
    path: ['text'],
    message: 'is empty, and there are no medias',
  })
  .refine(({ text, medias, template }) => template === undefined || (text === '' && medias.length === 0), {
    path: ['template'],
    message: 'has its own text: send no text and no medias with it',
  })
  .openapi('NewMessage');

const sendHeaders = idempotencyHeaders.extend({
  'if-match': z
    .string()
    .regex(/^"?\d+"?$/, 'must be a sequence in quotes')
    .optional()
    .openapi({
      description: 'The last sequence that the sender has seen; 412 with the unseen messages when there are newer ones',
    }),
});

const listRoute = (access: Access) =>
  createRoute({
    ...common(access),
    method: 'get',
    path: '/{id}/messages',
    summary: 'The messages of a conversation',
    request: { ...idParam, query: pageQuery },
    responses: {
      ...answer(pageSchema(messageSchema), 'Newest first'),
      ...failures('PERMISSION_DENIED', 'CONVERSATION_NOT_FOUND'),
    },
  });

const sendRoute = (access: Access) =>
  createRoute({
    ...common(access),
    method: 'post',
    path: '/{id}/messages',
    summary: 'Send a message to the contact',
    description:
      'A 200 means stored and ordered: it goes out after everything before it, and its status follows by events.',
    request: { ...idParam, headers: sendHeaders, ...body(newMessageSchema) },
    responses: {
      ...answer(messageSchema, 'The message, `progressing`'),
      ...failures(
        'PERMISSION_DENIED',
        'CONVERSATION_NOT_FOUND',
        'CONVERSATION_CLOSED',
        'CONVERSATION_ACCOUNT_GONE',
        'MODE_CHANGED',
        'CONTACT_OPTED_OUT',
        'WINDOW_CLOSED',
        'TEMPLATES_NOT_AVAILABLE',
        'IDEMPOTENCY_KEY_REUSED',
        'SEQUENCE_MISMATCH',
      ),
    },
  });

const readRoute = (access: Access) =>
  createRoute({
    ...common(access),
    method: 'get',
    path: '/{id}/messages/{message_id}',
    summary: 'One message',
    request: messageParams,
    responses: {
      ...answer(messageSchema, 'The message'),
      ...failures('PERMISSION_DENIED', 'CONVERSATION_MESSAGE_NOT_FOUND'),
    },
  });

const deleteRoute = () =>
  createRoute({
    ...common('managers'),
    method: 'delete',
    path: '/{id}/messages/{message_id}',
    summary: 'Delete a message (soft): its text and medias are gone from every answer, event and replay',
    request: messageParams,
    responses: {
      ...answer(messageSchema, 'As it was deleted'),
      ...failures('PERMISSION_DENIED', 'CONVERSATION_MESSAGE_NOT_FOUND'),
    },
  });

/** Of a conversation that the caller may read; deleting is the managers' alone. */
export function messageRoutes(access: Access) {
  const routes = newRouter();

  routes.openapi(listRoute(access), async (c) => {
    const { size, cursor } = pageRequest(c.req.valid('query'));
    const { id, customerId } = await readableConversation(c, c.req.valid('param').id);
    const rows = await callObject(() =>
      getConversation(c.env, id).listMessages(customerId, cursor?.at ?? null, size + 1),
    );
    return c.json(presentPage(pageOf(valueOf(rows), size), presentMessage), 200);
  });

  routes.openapi(sendRoute(access), async (c) => {
    const { id, accountId } = await readableConversation(c, c.req.valid('param').id);
    const by = await carrierOf(c, accountId);
    const command = await sendCommand(c, by, c.req.valid('json'), c.req.valid('header')['if-match']);
    const sent = await callObject(() => getConversation(c.env, id).send(command));
    if (!sent.ok && sent.error.code === 'WINDOW_CLOSED') throw await windowClosed(c, by);
    return c.json(presentMessage(valueOf(sent)), 200);
  });

  routes.openapi(readRoute(access), async (c) => {
    const { id, customerId } = await readableConversation(c, c.req.valid('param').id);
    const { message_id } = c.req.valid('param');
    const message = await callObject(() => getConversation(c.env, id).readMessage(customerId, message_id));
    return c.json(presentMessage(valueOf(message)), 200);
  });

  if (access === 'managers') routes.openapi(deleteRoute(), removeMessage);
  return routes;
}

const removeMessage: RouteHandler<ReturnType<typeof deleteRoute>, AppEnv> = async (c) => {
  const { id, message_id } = c.req.valid('param');
  const { customerId } = c.get('principal');
  return c.json(presentMessage(valueOf(await getConversation(c.env, id).removeMessage(customerId, message_id))), 200);
};

/** What carries a conversation's messages. */
interface Carrier {
  account: Account;
  channel: Channel;
}

async function carrierOf(c: AppContext, accountId: string): Promise<Carrier> {
  const account = await findAnyAccount(c.env, accountId);
  const channel = account && channelOf(account.type, account.providerData);
  if (!channel) throw new ApiError('CONVERSATION_ACCOUNT_GONE');
  return { account, channel };
}

/** With what may be sent instead. */
const windowClosed = async (c: AppContext, { account, channel }: Carrier): Promise<ApiError> =>
  new ApiError('WINDOW_CLOSED', undefined, { templates: await usableTemplates(c.env, account, channel) });

async function sendCommand(
  c: AppContext,
  { account, channel }: Carrier,
  wanted: z.infer<typeof newMessageSchema>,
  ifMatch: string | undefined,
): Promise<SendCommand> {
  const principal = c.get('principal');
  const { medias, template = null, client_id: clientId } = wanted;
  const text = template ? await templateText(c, account, channel, template) : wanted.text;
  const tooMuch = overLimit(channel, text, medias);
  if (tooMuch) throw invalidField(tooMuch.field, tooMuch.problem);
  const timeouts = await findTimeouts(c.env, principal.customerId);
  return {
    customerId: principal.customerId,
    actor: actorOf(principal),
    takeover: wanted.takeover,
    fence: wanted.mode_epoch ?? null,
    activeflowId: null,
    asOwner: ownerActing(c),
    actorName: principal.kind === 'agent' ? ((await findSignedIn(c.env, principal.agentId))?.name ?? '') : '',
    messageId: crypto.randomUUID(),
    deliveryId: crypto.randomUUID(),
    text,
    medias: medias.map(({ type, ...parts }) => media(type, parts)),
    template,
    clientId,
    segments: channel.segments(text),
    expectedSequence: ifMatch === undefined ? null : Number(ifMatch.replaceAll('"', '')),
    idempotency: await idempotencyOf(c),
    settings: { ...timeouts, publicUrl: publicUrlOf(c) },
  };
}
