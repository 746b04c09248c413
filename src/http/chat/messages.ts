import { createRoute, z } from '@hono/zod-openapi';
import { type AppContext, publicUrlOf } from '../context.ts';
import { chatAccount, visitorIn } from './visitor.ts';
import { serveMessageFile } from '../medias/serve.ts';
import { ApiError, valueOf } from '../errors.ts';
import { answer, body, failures, uuid } from '../openapi.ts';
import { newRouter } from '../router.ts';
import {
  callerOf,
  chatAddress,
  conversationOf,
  joinProved,
  knownVisitor,
  type KnownVisitor,
} from '../../app/contacts/visitor.ts';
import { listMergedMessages } from '../../app/conversations/merged-history.ts';
import { receiveInbound } from '../../app/conversations/receive.ts';
import { messageFile } from '../../app/media/message-file.ts';
import type { HookInbound } from '../../channels/contract.ts';
import { presentForVisitor } from '../../dialects/chat/message.ts';
import { address } from '../../domain/addresses.ts';
import { wellFormed } from '../../domain/content.ts';
import { addressText, visibleAddresses } from '../../domain/conversation/identity/participants.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';

const security: Record<string, string[]>[] = [{ bearer: [] }];
const params = z.object({ account_id: z.string() });

const messageSchema = z
  .object({
    id: z.uuid(),
    conversation_id: z.uuid(),
    sequence: z.number().int(),
    direction: z.enum(['incoming', 'outgoing']).openapi({ description: '`incoming`: the visitor wrote it' }),
    text: z.string(),
    medias: z.array(z.object({ type: z.string(), filename: z.string(), index: z.number().int() })),
    sender: z.object({ type: z.enum(['visitor', 'person', 'automatic']), name: z.string() }),
    client_id: z.string(),
    tm_create: z.string().openapi({ example: '2026-01-15T10:30:00.000Z' }),
    is_read: z.boolean(),
  })
  .openapi('ChatMessage');

const newMessageSchema = z
  .object({
    text: z
      .string()
      .max(5000)
      .transform(wellFormed)
      .refine((text) => text.trim() !== '', 'must not be empty'),
    client_id: z
      .string()
      .min(1)
      .max(100)
      .openapi({ description: 'Your own id for the message: a repeat with the same one is the same message' }),
  })
  .openapi('NewChatMessage');

const chatFailures = ['CONVERSATION_ACCOUNT_NOT_FOUND', 'ORIGIN_NOT_ALLOWED', 'INVALID_CREDENTIALS'] as const;

const listRoute = createRoute({
  tags: ['Web chat'],
  security,
  method: 'get',
  path: '/{account_id}/messages',
  summary: 'The visitor’s messages and the answers to them, newest first',
  request: {
    params,
    query: z.object({
      page_size: z.coerce.number().int().min(1).max(100).default(50),
      page_token: z
        .string()
        .regex(/^\d{0,16}$/, 'must be a next_page_token of an earlier response')
        .default(''),
    }),
  },
  responses: {
    ...answer(z.object({ result: z.array(messageSchema), next_page_token: z.string() }), 'The page'),
    ...failures(...chatFailures),
  },
});

const sendRoute = createRoute({
  tags: ['Web chat'],
  security,
  method: 'post',
  path: '/{account_id}/messages',
  summary: 'Send a visitor’s message; a 200 means stored and ordered',
  request: { params, ...body(newMessageSchema) },
  responses: { ...answer(messageSchema, 'The message'), ...failures(...chatFailures) },
});

const fileRoute = createRoute({
  tags: ['Web chat'],
  security,
  method: 'get',
  path: '/{account_id}/messages/{message_id}/medias/{index}',
  summary: 'A file of a message that the visitor may see',
  request: {
    params: params.extend({ message_id: uuid, index: z.string().regex(/^\d{1,2}$/, 'must be 0 to 99') }),
  },
  responses: {
    200: {
      description: 'The file',
      content: { 'application/octet-stream': { schema: z.string().openapi({ format: 'binary' }) } },
    },
    ...failures(...chatFailures, 'CONVERSATION_MESSAGE_NOT_FOUND', 'MEDIA_NOT_AVAILABLE'),
  },
});

export const chatMessageRoutes = newRouter();

chatMessageRoutes.openapi(listRoute, async (c) => {
  const { page_size, page_token } = c.req.valid('query');
  const visit = await visitIn(c);
  const before = page_token === '' ? null : Number(page_token);
  const found = await listMergedMessages(c.env, visit.customerId, visit.id, (id) =>
    callObject(() =>
      getConversation(c.env, id).visibleMessages(visit.customerId, visit.addresses, before, page_size + 1),
    ),
  );
  const rows = found.slice(0, page_size);
  const next_page_token = found.length > page_size ? String(rows.at(-1)?.createdAt ?? '') : '';
  return c.json({ result: rows.map((row) => presentForVisitor(row, visit.visitor.id)), next_page_token }, 200);
});

chatMessageRoutes.openapi(sendRoute, async (c) => {
  const resolved = await chatAccount(c);
  const known = await knownVisitor(c.env, resolved, await visitorIn(c));
  valueOf(await joinProved(c.env, resolved, known));
  const caller = await callerOf(c.env, resolved, known);
  const { customerId } = resolved.account;
  const inbound = inboundOf(known, c.req.valid('json'));
  const received = await receiveInbound(c.env, resolved, inbound, publicUrlOf(c), { caller });
  const own = [addressText(chatAddress(known.visitor))];
  const object = () => getConversation(c.env, received.conversationId);
  const message = valueOf(await callObject(() => object().visibleMessage(customerId, own, received.messageId)));
  return c.json(presentForVisitor(message, known.visitor.id), 200);
});

chatMessageRoutes.openapi(fileRoute, async (c) => {
  const { message_id, index } = c.req.valid('param');
  const visit = await visitIn(c);
  const [message] = await listMergedMessages(c.env, visit.customerId, visit.id, async (id) => {
    const found = await callObject(() =>
      getConversation(c.env, id).visibleMessage(visit.customerId, visit.addresses, message_id),
    );
    return found.ok ? { ...found, value: [found.value] } : found;
  });
  if (!message) throw new ApiError('CONVERSATION_MESSAGE_NOT_FOUND');
  return serveMessageFile(valueOf(await messageFile(c.env, message, Number(index), c.req.raw.headers)));
});

function inboundOf(
  { visitor, ...known }: KnownVisitor,
  { text, client_id }: z.infer<typeof newMessageSchema>,
): HookInbound {
  const name = known.name || visitor.name;
  return {
    peer: address('chat', visitor.id, name),
    dialogId: visitor.id,
    occurredAt: Date.now(),
    item: {
      kind: 'message',
      dedupeKey: `chat ${visitor.id} ${client_id}`,
      text,
      medias: [],
      senderId: visitor.id,
      senderName: name,
      clientId: client_id,
      replyToken: null,
    },
  };
}

/** The visitor's conversation, and the addresses whose messages it may see there. */
async function visitIn(c: AppContext) {
  const resolved = await chatAccount(c);
  const visitor = await visitorIn(c);
  const { customerId } = resolved.account;
  const id = await conversationOf(c.env, resolved, visitor);
  const state = await callObject(() => getConversation(c.env, id).read(customerId));
  const addresses = state.ok ? visibleAddresses(state.value, chatAddress(visitor)) : [];
  return { id, customerId, visitor, addresses };
}
