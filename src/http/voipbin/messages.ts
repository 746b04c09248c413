import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../context.ts';
import { ApiError, invalidField, valueOf } from '../errors.ts';
import { allow } from '../middleware/authenticate.ts';
import { idempotencyOf } from '../once.ts';
import { answer, body, failures, idempotencyHeaders, idParam, uuid, security } from '../openapi.ts';
import { publicUrlOf } from '../origin.ts';
import { newRouter } from '../router.ts';
import { pageQuery, pageRequest, pageSchema, presentPage } from './pages.ts';
import { messageSchema } from './schemas/conversation.ts';
import type { Channel } from '../../channels/contract.ts';
import { channelOf } from '../../channels/registry.ts';
import { presentMessage } from '../../dialects/voipbin/message.ts';
import { media, MAX_MEDIAS, MAX_TEXT_LENGTH, outgoingMediaSchema, wellFormed } from '../../domain/content.ts';
import type { SendCommand } from '../../domain/conversation/commands.ts';
import { actorOf } from '../../domain/permissions.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import { channelIo } from '../../sandbox/channel-io.ts';
import { findAnyAccount } from '../../storage/accounts.ts';
import { findSignedIn } from '../../storage/agents.ts';
import { findTimeouts } from '../../storage/customers.ts';
import { pageOf } from '../../storage/page.ts';

const common = { tags: ['Messages'], security, middleware: allow('manager-or-admin') };
const messageParams = { params: z.object({ id: uuid, message_id: uuid }) };

const newMessageSchema = z
  .object({
    text: z.string().max(MAX_TEXT_LENGTH).transform(wellFormed).default(''),
    medias: z.array(outgoingMediaSchema).max(MAX_MEDIAS).default([]),
    client_id: z.string().max(255).default('').openapi({ description: 'Your own name for the message, echoed back' }),
  })
  .refine(({ text, medias }) => text.trim() !== '' || medias.length > 0, {
    path: ['text'],
    message: 'is empty, and there are no medias',
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

const listRoute = createRoute({
  ...common,
  method: 'get',
  path: '/{id}/messages',
  summary: 'The messages of a conversation',
  request: { ...idParam, query: pageQuery },
  responses: {
    ...answer(pageSchema(messageSchema), 'Newest first'),
    ...failures('PERMISSION_DENIED', 'CONVERSATION_NOT_FOUND'),
  },
});

const sendRoute = createRoute({
  ...common,
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
      'IDEMPOTENCY_KEY_REUSED',
      'SEQUENCE_MISMATCH',
    ),
  },
});

const readRoute = createRoute({
  ...common,
  method: 'get',
  path: '/{id}/messages/{message_id}',
  summary: 'One message',
  request: messageParams,
  responses: {
    ...answer(messageSchema, 'The message'),
    ...failures('PERMISSION_DENIED', 'CONVERSATION_MESSAGE_NOT_FOUND'),
  },
});

const deleteRoute = createRoute({
  ...common,
  method: 'delete',
  path: '/{id}/messages/{message_id}',
  summary: 'Delete a message (soft): its text and medias are gone from every answer, event and replay',
  request: messageParams,
  responses: {
    ...answer(messageSchema, 'As it was deleted'),
    ...failures('PERMISSION_DENIED', 'CONVERSATION_MESSAGE_NOT_FOUND'),
  },
});

const mediaRoute = createRoute({
  ...common,
  method: 'get',
  path: '/{id}/messages/{message_id}/medias/{index}',
  summary: 'A file that a contact sent, read through from its provider',
  request: { params: messageParams.params.extend({ index: z.string().regex(/^\d{1,2}$/, 'must be a number') }) },
  responses: {
    200: {
      description: 'The file',
      content: { 'application/octet-stream': { schema: z.string().openapi({ format: 'binary' }) } },
    },
    ...failures('PERMISSION_DENIED', 'CONVERSATION_MESSAGE_NOT_FOUND', 'MEDIA_NOT_AVAILABLE'),
  },
});

export const messageRoutes = newRouter();

messageRoutes.openapi(listRoute, async (c) => {
  const { customerId } = c.get('principal');
  const { size, cursor } = pageRequest(c.req.valid('query'));
  const { id } = c.req.valid('param');
  const rows = valueOf(
    await callObject(() => getConversation(c.env, id).listMessages(customerId, cursor?.at ?? null, size + 1)),
  );
  return c.json(presentPage(pageOf(rows, size), presentMessage), 200);
});

messageRoutes.openapi(sendRoute, async (c) => {
  const { id } = c.req.valid('param');
  const state = valueOf(await callObject(() => getConversation(c.env, id).read(c.get('principal').customerId)));
  const channel = await channelOfAccount(c, state.accountId);
  const command = await sendCommand(c, channel, c.req.valid('json'), c.req.valid('header')['if-match']);
  const message = valueOf(await callObject(() => getConversation(c.env, id).send(command)));
  return c.json(presentMessage(message), 200);
});

messageRoutes.openapi(readRoute, async (c) => {
  const { id, message_id } = c.req.valid('param');
  const { customerId } = c.get('principal');
  return c.json(
    presentMessage(valueOf(await callObject(() => getConversation(c.env, id).readMessage(customerId, message_id)))),
    200,
  );
});

messageRoutes.openapi(deleteRoute, async (c) => {
  const { id, message_id } = c.req.valid('param');
  const { customerId } = c.get('principal');
  return c.json(presentMessage(valueOf(await getConversation(c.env, id).removeMessage(customerId, message_id))), 200);
});

messageRoutes.openapi(mediaRoute, async (c) => {
  const { id, message_id, index } = c.req.valid('param');
  const { customerId } = c.get('principal');
  const message = valueOf(await callObject(() => getConversation(c.env, id).readMessage(customerId, message_id)));
  const wanted = message.medias[Number(index)];
  const account = await findAnyAccount(c.env, message.accountId);
  const channel = account && channelOf(account.type, account.providerData);
  if (!wanted || wanted.providerRef === '' || !account || !channel)
    throw new ApiError('MEDIA_NOT_AVAILABLE', 'there is no such file');
  const file = await channel.fetchMedia(wanted, account, channelIo(c.env)).catch(() => null);
  if (!file?.ok) throw new ApiError('MEDIA_NOT_AVAILABLE', 'the provider does not give the file');
  return new Response(file.body, { headers: mediaHeaders(file, wanted.type) });
});

/** A contact's file must never run as a page of ours. */
const mediaHeaders = (file: Response, type: string): Record<string, string> => ({
  'content-type': file.headers.get('content-type') ?? type,
  'content-disposition': 'attachment',
  'content-security-policy': "sandbox; default-src 'none'",
  'x-content-type-options': 'nosniff',
});

async function channelOfAccount(c: AppContext, accountId: string): Promise<Channel> {
  const account = await findAnyAccount(c.env, accountId);
  const channel = account && channelOf(account.type, account.providerData);
  if (!channel) throw new ApiError('CONVERSATION_ACCOUNT_GONE');
  return channel;
}

async function sendCommand(
  c: AppContext,
  channel: Channel,
  wanted: z.infer<typeof newMessageSchema>,
  ifMatch: string | undefined,
): Promise<SendCommand> {
  const principal = c.get('principal');
  const { text, medias, client_id: clientId } = wanted;
  checkLimits(channel, text, medias.length);
  const timeouts = await findTimeouts(c.env, principal.customerId);
  return {
    customerId: principal.customerId,
    actor: actorOf(principal),
    actorName: principal.kind === 'agent' ? ((await findSignedIn(c.env, principal.agentId))?.name ?? '') : '',
    messageId: crypto.randomUUID(),
    deliveryId: crypto.randomUUID(),
    text,
    medias: medias.map(({ type, ...parts }) => media(type, parts)),
    clientId,
    segments: channel.segments(text),
    expectedSequence: ifMatch === undefined ? null : Number(ifMatch.replaceAll('"', '')),
    idempotency: await idempotencyOf(c),
    settings: { ...timeouts, publicUrl: publicUrlOf(c) },
  };
}

function checkLimits(channel: Channel, text: string, medias: number): void {
  const { maxTextLength, maxMedias, maxSegments } = channel.limits;
  const segments = channel.segments(text)?.count ?? 0;
  if (text.length > maxTextLength)
    throw invalidField('text', `${channel.label} takes at most ${maxTextLength} characters`);
  if (maxSegments !== null && segments > maxSegments) {
    throw invalidField('text', `is ${segments} SMS segments, and the provider takes at most ${maxSegments}`);
  }
  if (medias > maxMedias) throw invalidField('medias', `${channel.label} takes at most ${maxMedias}`);
}
