import { createRoute, z, type RouteHandler } from '@hono/zod-openapi';
import { type AppEnv, publicUrlOf } from '../context.ts';
import { valueOf } from '../errors.ts';
import { idempotencyOf } from '../once.ts';
import { answer, body, failures, idempotencyHeaders, idParam, uuid, security } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { guardOf, readableConversation, type Access } from './access.ts';
import { pageQuery, pageRequest, pageSchema, presentPage } from './pages.ts';
import { channelSchema, choiceSchema, messageSchema, templateUseSchema } from './schemas/conversation.ts';
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
    client_id: z
      .string()
      .max(255)
      .default('')
      .openapi({ description: 'Your own id for the message; returned unchanged' }),
    template: templateUseSchema.optional().openapi({
      description: 'WhatsApp: an approved template of the account; may also be sent outside the messaging window',
    }),
    channel: channelSchema.openapi({
      description: 'The only channel to use; if empty, the best channel for each participant',
    }),
    subject: z
      .string()
      .max(500)
      .transform((text) => wellFormed(text).replaceAll(/\s+/g, ' ').trim())
      .default('')
      .openapi({ description: 'The subject if the message is sent by e-mail; if empty, the subject of the thread' }),
    takeover: z.boolean().default(false).openapi({
      description: 'If true, a send with an access key counts as a person’s reply and sets the mode to `human`',
    }),
    mode_epoch: z.number().int().min(0).optional().openapi({
      description:
        'For assistants: the `mode_epoch` at the beginning of the turn; after a takeover the send returns 409 MODE_CHANGED',
    }),
  })
  .refine(({ text, medias, template }) => text.trim() !== '' || medias.length > 0 || template !== undefined, {
    path: ['text'],
    message: 'is required unless there are medias',
  })
  .refine(({ text, medias, template }) => template === undefined || (text === '' && medias.length === 0), {
    path: ['template'],
    message: 'cannot be combined with text or medias',
  })
  .openapi('NewMessage');

const sendHeaders = idempotencyHeaders.extend({
  'if-match': z
    .string()
    .regex(/^"?\d+"?$/, 'must be a sequence in quotes')
    .optional()
    .openapi({
      description: 'The last sequence that the sender has seen; if there are newer messages, 412 returns them',
    }),
});

const dryRunQuery = z.object({
  dry_run: z
    .enum(['true', 'false'])
    .default('false')
    .openapi({ description: 'If true, returns the chosen channels and sends nothing' }),
});

const dryRunSchema = z.object({ dry_run: z.literal(true), routing: z.array(choiceSchema) }).openapi('DryRun');

const listRoute = (access: Access) =>
  createRoute({
    ...common(access),
    method: 'get',
    path: '/{id}/messages',
    summary: 'List the messages of a conversation, newest first',
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
      '200 means that the message is stored and ordered. It is sent after all earlier messages to the same recipient; its status follows by events.',
    request: { ...idParam, headers: sendHeaders, query: dryRunQuery, ...body(newMessageSchema) },
    responses: {
      ...answer(
        z.union([messageSchema, dryRunSchema]),
        'The message with the status `progressing`; for a dry run only the routing',
      ),
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
    summary: 'Get a message',
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
    summary: 'Delete a message (soft delete); its text and medias are removed from all responses, events and replays',
    request: messageParams,
    responses: {
      ...answer(messageSchema, 'The deleted resource'),
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
