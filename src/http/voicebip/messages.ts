import { createRoute, z } from '@hono/zod-openapi';
import { type AppContext, publicUrlOf } from '../context.ts';
import { valueOf } from '../errors.ts';
import { idempotencyOf, withIdempotencyKey, type KeyedRequest } from '../once.ts';
import { answer, body, idempotencyHeaders, KEY_REFUSALS, security } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { inFieldsOf, type FieldNames } from './errors.ts';
import { failures, idOf } from './openapi.ts';
import { acceptedSchema } from './schemas.ts';
import { findResolved, type ResolvedAccount } from '../../app/accounts.ts';
import {
  earlierAnswer,
  SEND_DEFAULTS,
  senderOf,
  type SendRequest,
  sendToContact,
} from '../../app/conversations/send.ts';
import { presentAccepted } from '../../dialects/voicebip/message.ts';
import { normalizeTel } from '../../domain/addresses.ts';
import { MAX_TEXT_LENGTH, wellFormed } from '../../domain/content.ts';
import type { Message } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { findByNumber } from '../../storage/accounts.ts';
import { findAssistant } from '../../storage/assistants.ts';

const NOT_A_NUMBER = {
  code: 'custom',
  message: 'must be a telephone number in E.164 form, for example +2348031234567',
} as const;

const numberIn = (given: string): string | null => {
  const normal = normalizeTel(given);
  return normal?.startsWith('+') ? normal : null;
};

const number = z.string().transform((given, context) => {
  const found = numberIn(given);
  if (found !== null) return found;
  context.addIssue(NOT_A_NUMBER);
  return z.NEVER;
});

/** A contact on WhatsApp may show no number (facts/providers.md 1.4): the list names it by its user id, and so may a send. */
const recipient = z
  .string()
  .transform((given, context) => {
    const found = /^[A-Z]{2}\.(?:ENT\.)?\w{1,128}$/.test(given) ? given : numberIn(given);
    if (found !== null) return found;
    context.addIssue(NOT_A_NUMBER);
    return z.NEVER;
  })
  .openapi({ type: 'string', description: 'On WhatsApp also the user id of a contact without a visible number' });

const between = { agent_id: idOf('agt'), from_number: number };
const text = z.string().max(MAX_TEXT_LENGTH).transform(wellFormed);

/** What WhatsApp's `message_type` is as a file; the provider looks at the file itself. */
const FILES = { image: 'image/jpeg', audio: 'audio/mpeg', video: 'video/mp4', document: 'application/pdf' } as const;

interface Parts {
  channel: 'sms' | 'whatsapp';
  to_number: string;
  message_type: 'text' | keyof typeof FILES;
  body: string;
  media_url?: string | undefined;
  media_caption: string;
}

/** What is wrong with the parts beside each other: nothing that a client wrote is left out in silence. */
function misplaced(wanted: Parts): [keyof Parts, string] | null {
  const { message_type: type, body: said, media_url: url, media_caption: caption } = wanted;
  if (wanted.channel === 'sms' && !wanted.to_number.startsWith('+'))
    return ['to_number', 'must be a telephone number in E.164 form, for example +2348031234567'];
  if (type !== 'text') {
    if (url === undefined) return ['media_url', 'is required for this message_type'];
    return said === ''
      ? null
      : ['body', 'is not allowed for this message_type; use media_caption for the text of a file'];
  }
  if (url !== undefined) return ['message_type', 'must be image, audio, video or document when media_url is given'];
  if (caption !== '') return ['media_caption', 'is only allowed with a file; use body for text'];
  return said.trim() === '' ? ['body', 'is empty'] : null;
}

const newMessageSchema = z
  .object({
    ...between,
    to_number: recipient,
    channel: z.enum(['sms', 'whatsapp']),
    body: text.default(''),
    message_type: z.enum(['text', 'image', 'audio', 'video', 'document']).default('text'),
    media_url: z
      .url({ protocol: /^https?$/, error: 'must be an http(s) URL' })
      .max(2000)
      .optional(),
    media_caption: text.default(''),
  })
  .superRefine((wanted, context) => {
    const [path, message] = misplaced(wanted) ?? [];
    if (path !== undefined) context.addIssue({ code: 'custom', path: [path], message });
  })
  .openapi('VoicebipNewMessage');

const newTemplateSchema = z
  .object({
    ...between,
    to_number: recipient,
    template_name: z.string().min(1).max(512),
    language_code: z.string().min(2).max(16),
    parameters: z.array(z.string().min(1).max(1024).transform(wellFormed)).max(50).default([]),
  })
  .openapi('VoicebipNewTemplate');

const common = { tags: ['Voicebip'], security };
const refusals = failures(...KEY_REFUSALS, 'CONTACT_OPTED_OUT', 'WINDOW_CLOSED', 'TEMPLATES_NOT_AVAILABLE');

const sendRoute = createRoute({
  ...common,
  method: 'post',
  path: '/',
  summary: 'Send a message; the conversation is created if there is none',
  request: { headers: idempotencyHeaders, ...body(newMessageSchema) },
  responses: { ...answer(acceptedSchema, 'The accepted message'), ...refusals },
});

const templateRoute = createRoute({
  ...common,
  method: 'post',
  path: '/template',
  summary: 'Send an approved WhatsApp template, also outside the 24-hour window',
  request: { headers: idempotencyHeaders, ...body(newTemplateSchema) },
  responses: { ...answer(acceptedSchema, 'The accepted message'), ...refusals },
});

export const voicebipMessageRoutes = newRouter();

const TEXT_FIELDS: FieldNames = { text: 'body' };

const FILE_FIELDS: FieldNames = {
  text: 'media_caption',
  medias: 'media_url',
  'medias.0': 'media_url',
  'medias.0.url': 'media_url',
  'medias.0.type': 'message_type',
};

/** A template's text is its own: what makes it too long is what fills it. */
const TEMPLATE_FIELDS: FieldNames = {
  text: 'parameters',
  template: 'template_name',
  'template.name': 'template_name',
  'template.language': 'language_code',
  'template.parameters': 'parameters',
};

voicebipMessageRoutes.openapi(sendRoute, async (c) => {
  const wanted = c.req.valid('json');
  const { message_type: type, media_url: url = '', media_caption: caption } = wanted;
  const content =
    type === 'text'
      ? { text: wanted.body, medias: [] }
      : { text: caption, medias: [{ type: FILES[type], url, filename: '' }] };
  const sent = sendTo(c, wanted, wanted.channel, content);
  return c.json(await inFieldsOf(type === 'text' ? TEXT_FIELDS : FILE_FIELDS, sent), 200);
});

voicebipMessageRoutes.openapi(templateRoute, async (c) => {
  const { template_name: name, language_code: language, parameters, ...ends } = c.req.valid('json');
  const content = { text: '', template: { name, language, parameters } };
  return c.json(await inFieldsOf(TEMPLATE_FIELDS, sendTo(c, ends, 'whatsapp', content)), 200);
});

interface Ends {
  agent_id: string;
  from_number: string;
  to_number: string;
}

type Content = Pick<SendRequest, 'text'> & Partial<SendRequest>;

function sendTo(c: AppContext, ends: Ends, type: 'sms' | 'whatsapp', content: Content) {
  return withIdempotencyKey(c, async (keyed) => {
    const message = valueOf(await sendOrReplay(c, ends, type, content, keyed));
    return { answer: presentAccepted(message), about: message.conversationId };
  });
}

/** An attempt that broke off may have been accepted by the conversation that it went to: that one is asked first. */
async function sendOrReplay(
  c: AppContext,
  ends: Ends,
  type: 'sms' | 'whatsapp',
  content: Content,
  { wentTo, goesTo }: KeyedRequest,
): Promise<Result<Message, Refusal>> {
  const sender = await senderOf(c.env, c.get('principal'));
  const idempotency = await idempotencyOf(c);
  const earlier =
    idempotency && wentTo !== null ? await earlierAnswer(c.env, sender.customerId, wentTo, idempotency) : null;
  if (earlier) return earlier;
  const resolved = await accountOfAgent(c, ends, type);
  if (!resolved.ok) return resolved;
  const request = { ...SEND_DEFAULTS, ...sender, ...content, idempotency, publicUrl: publicUrlOf(c) };
  const to = { type: type === 'sms' ? ('tel' as const) : ('whatsapp' as const), target: ends.to_number };
  return sendToContact(c.env, request, resolved.value, to, goesTo);
}

/** `from_number` must be a number on which that agent answers. */
async function accountOfAgent(
  c: AppContext,
  { agent_id, from_number }: Ends,
  type: 'sms' | 'whatsapp',
): Promise<Result<ResolvedAccount, Refusal>> {
  const { customerId } = c.get('principal');
  const invalid = (field: string, problem: string) => err({ code: 'INVALID_FIELD', field, problem } as const);
  if (!(await findAssistant(c.env, customerId, agent_id))) return invalid('agent_id', 'is not one of your agents');
  const id = await findByNumber(c.env, customerId, { type, number: from_number, assistantId: agent_id });
  if (id === null) return invalid('from_number', 'is not a number of this agent');
  const resolved = await findResolved(c.env, id);
  return resolved ? ok(resolved) : err({ code: 'CONVERSATION_ACCOUNT_GONE' });
}
