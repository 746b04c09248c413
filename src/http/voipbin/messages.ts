import { createRoute, z, type RouteHandler } from '@hono/zod-openapi';
import type { AppEnv } from '../context.ts';
import { valueOf } from '../errors.ts';
import { idempotencyOf } from '../once.ts';
import { answer, body, failures, idempotencyHeaders, idParam, uuid, security } from '../openapi.ts';
import { publicUrlOf } from '../origin.ts';
import { newRouter } from '../router.ts';
import { guardOf, readableConversation, type Access } from './access.ts';
import { pageQuery, pageRequest, pageSchema, presentPage } from './pages.ts';
import { channelSchema } from './schemas/channel.ts';
import { choiceSchema, messageSchema, templateUseSchema } from './schemas/conversation.ts';
import { askedBefore, isShown, listMergedMessages } from '../../app/conversations/merged-history.ts';
import { previewSend, send, SEND_DEFAULTS, senderOf } from '../../app/conversations/send.ts';
import { presentChoice, presentMessage } from '../../dialects/voipbin/message.ts';
import { MAX_MEDIAS, MAX_TEXT_LENGTH, outgoingMediaSchema, wellFormed } from '../../domain/content.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
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
    channel: channelSchema.openapi({
      description: 'Send by this one alone; empty takes the best for each participant',
    }),
    subject: z
      .string()
      .max(500)
      .transform((text) => wellFormed(text).replaceAll(/\s+/g, ' ').trim())
      .default('')
      .openapi({ description: 'Should it go by e-mail; empty: that of the thread' }),
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

const dryRunQuery = z.object({
  dry_run: z
    .enum(['true', 'false'])
    .default('false')
    .openapi({ description: 'Tells how the message would go, and sends nothing' }),
});

const dryRunSchema = z.object({ dry_run: z.literal(true), routing: z.array(choiceSchema) }).openapi('DryRun');

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
    request: { ...idParam, headers: sendHeaders, query: dryRunQuery, ...body(newMessageSchema) },
    responses: {
      ...answer(z.union([messageSchema, dryRunSchema]), 'The message, `progressing`; of a dry run the choice alone'),
      ...failures(
        'PERMISSION_DENIED',
        'CONVERSATION_NOT_FOUND',
        'CONVERSATION_CLOSED',
        'CONVERSATION_ACCOUNT_GONE',
        'MODE_CHANGED',
        'CONTACT_OPTED_OUT',
        'WINDOW_CLOSED',
        'NO_CHANNEL_AVAILABLE',
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
    const rows = await listMergedMessages(c.env, customerId, id, (each) =>
      callObject(() => getConversation(c.env, each).listMessages(customerId, askedBefore(cursor), size + 2)),
    );
    const fresh = rows.filter((row) => !isShown(row, cursor));
    return c.json(presentPage(pageOf(fresh, size), presentMessage), 200);
  });

  routes.openapi(sendRoute(access), async (c) => {
    const conversation = await readableConversation(c, c.req.valid('param').id);
    const { client_id: clientId, mode_epoch: fence = null, template = null, ...wanted } = c.req.valid('json');
    const ifMatch = c.req.valid('header')['if-match'];
    const request = {
      ...SEND_DEFAULTS,
      ...wanted,
      ...(await senderOf(c.env, c.get('principal'))),
      clientId,
      fence,
      template,
      expectedSequence: ifMatch === undefined ? null : Number(ifMatch.replaceAll('"', '')),
      idempotency: await idempotencyOf(c),
      publicUrl: publicUrlOf(c),
    };
    if (c.req.valid('query').dry_run === 'true') {
      const choices = valueOf(await previewSend(c.env, request, conversation));
      return c.json({ dry_run: true as const, routing: choices.map(presentChoice) }, 200);
    }
    return c.json(presentMessage(valueOf(await send(c.env, request, conversation))), 200);
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
