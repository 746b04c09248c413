/** The Graph API of WhatsApp and Messenger on 127.0.0.1, as strict as its documentation, and its webhooks, signed as Meta signs them. */
import { createHmac, randomUUID } from 'node:crypto';
import {
  type Answer,
  header,
  type Incoming,
  isObject,
  isText,
  isUrl,
  json,
  jsonBody,
  onlyFields,
  type ProviderFake,
  type Received,
  type SignedRequest,
  startFake,
  textIn,
  Violation,
} from './providers.ts';

export interface MetaFakeOptions {
  /** WhatsApp's access token. */
  token: string;
  phoneNumberId: string;
  wabaId: string;
  page?: { id: string; token: string };
}

export interface MetaFake extends ProviderFake {
  /** The templates that `GET /{waba}/message_templates` lists. */
  templates: Record<string, unknown>[];
  /** Stores a file. @returns its media id, for a webhook. */
  putMedia(contentType: string, bytes: Uint8Array): string;
  /** Deletes a file, as Meta does after some time. */
  dropMedia(id: string): void;
}

const refusal = (status: number, code: number, message: string): Answer =>
  json(status, { error: { message, type: 'OAuthException', code, error_data: { details: message } } });

const FIELDS = ['messaging_product', 'recipient_type', 'to', 'recipient', 'type', 'biz_opaque_callback_data'];
const KINDS = ['text', 'template', 'image', 'audio', 'video', 'document', 'sticker'];

export async function startMeta({ token, phoneNumberId, wabaId, page }: MetaFakeOptions): Promise<MetaFake> {
  const templates: Record<string, unknown>[] = [];
  const files = new Map<string, { contentType: string; bytes: Uint8Array }>();

  function handle(request: Incoming, received: Received[]): Answer {
    const [, version = '', id = '', edge = ''] = request.url.pathname.split('/');
    const expected = page && id === page.id ? page.token : token;
    if (header(request, 'authorization') !== `Bearer ${expected}`)
      throw new Violation('wrong Authorization', refusal(401, 190, 'Invalid OAuth access token'));
    if (version === 'files') return fileAnswer(id);
    const answer = /^v\d+\.0$/.test(version) ? route(`${request.method} ${id} ${edge}`, request, received) : undefined;
    if (answer) return answer;
    throw new Violation('not in the API', refusal(404, 100, 'Unknown path components'));
  }

  function route(call: string, request: Incoming, received: Received[]): Answer | undefined {
    if (call === `GET ${wabaId} message_templates`) return json(200, pageOf(request.url));
    if (call === `POST ${phoneNumberId} messages`) return accept(request, received);
    if (page && call === `POST ${page.id} messages`) return acceptMessenger(request, received);
    const [method, id = ''] = call.split(' ');
    return method === 'GET' && files.has(id)
      ? json(200, { url: `${fake.url}/files/${id}`, messaging_product: 'whatsapp' })
      : undefined;
  }

  /** Pages of at most 100 with a cursor, as Meta returns them. */
  function pageOf({ searchParams }: URL): Record<string, unknown> {
    const begin = Number(searchParams.get('after') ?? 0);
    const end = begin + Math.min(100, Number(searchParams.get('limit') ?? 25));
    const next = end < templates.length ? { next: `${fake.url}/?after=${end}` } : {};
    return {
      data: templates.slice(begin, end),
      paging: { cursors: { before: String(begin), after: String(end) }, ...next },
    };
  }

  function fileAnswer(id: string): Answer {
    const found = files.get(id);
    return found ? { status: 200, headers: { 'content-type': found.contentType }, body: found.bytes } : { status: 404 };
  }

  const fake = await startFake(handle, {});
  return Object.assign(fake, {
    templates,
    dropMedia: (id: string) => void files.delete(id),
    putMedia: (contentType: string, bytes: Uint8Array): string => {
      const id = String(Math.floor(Math.random() * 1e15));
      files.set(id, { contentType, bytes });
      return id;
    },
  });
}

function accept(request: Incoming, received: Received[]): Answer {
  const body = jsonBody(request, refusal(400, 100, 'Invalid parameter'));
  const kind = textIn(body, 'type');
  if (!KINDS.includes(kind)) throw new Violation(`type ${kind}`, refusal(400, 100, 'Invalid type'));
  onlyFields(body, [...FIELDS, kind], refusal(400, 100, 'Unknown field'));
  if (body['messaging_product'] !== 'whatsapp') throw new Violation('messaging_product', refusal(400, 100, 'required'));
  const content = body[kind];
  if (!isObject(content)) throw new Violation(`no ${kind}`, refusal(400, 100, `${kind} is required`));
  checkRecipient(body);
  const text = textOf(kind, content);
  const id = `wamid.${randomUUID()}`;
  const link = textIn(content, 'link');
  received.push({
    id,
    method: kind,
    to: textIn(body, 'to') || textIn(body, 'recipient'),
    from: '',
    text,
    medias: link === '' ? [] : [link],
    key: textIn(body, 'biz_opaque_callback_data'),
    statusCallbackUrl: '',
    body,
  });
  return json(200, { messaging_product: 'whatsapp', contacts: [{ input: textIn(body, 'to') }], messages: [{ id }] });
}

const TAGS = ['HUMAN_AGENT', 'ACCOUNT_UPDATE', 'CONFIRMED_EVENT_UPDATE', 'POST_PURCHASE_UPDATE'];

function acceptMessenger(request: Incoming, received: Received[]): Answer {
  const body = jsonBody(request, refusal(400, 100, 'Invalid parameter'));
  onlyFields(body, ['recipient', 'messaging_type', 'tag', 'message'], refusal(400, 100, 'Unknown field'));
  const { recipient, message, messaging_type: type, tag } = body;
  if (!isObject(recipient) || !isText(recipient['id']))
    throw new Violation('recipient', refusal(400, 100, 'No recipient'));
  if (!isObject(message)) throw new Violation('message', refusal(400, 100, 'No message'));
  const isTyped = type === 'MESSAGE_TAG' ? TAGS.includes(String(tag)) : type === 'RESPONSE' && tag === undefined;
  if (!isTyped) throw new Violation(`messaging_type ${String(type)}`, refusal(400, 100, 'Invalid messaging_type'));
  const { text, attachment } = message;
  const isOne = isText(text) ? attachment === undefined && text.length <= 2000 : isObject(attachment);
  if (!isOne) throw new Violation('content', refusal(400, 100, 'text or attachment'));
  const id = `m_${randomUUID()}`;
  const to = recipient['id'];
  const address = { method: String(tag ?? type), to, from: '', medias: [], key: textIn(message, 'metadata') };
  received.push({ id, ...address, text: isText(text) ? text : '', statusCallbackUrl: '', body });
  return json(200, { recipient_id: to, message_id: id });
}

function checkRecipient(body: Record<string, unknown>): void {
  const [to, recipient] = [textIn(body, 'to'), textIn(body, 'recipient')];
  const isPhone = /^\+?\d{5,15}$/.test(to) && recipient === '';
  const isUserId = to === '' && /^[A-Z]{2}\.(ENT\.)?\w+$/.test(recipient);
  if (!isPhone && !isUserId) throw new Violation(`recipient ${to}${recipient}`, refusal(400, 100, 'Invalid recipient'));
  if (textIn(body, 'biz_opaque_callback_data').length > 512)
    throw new Violation('biz_opaque_callback_data', refusal(400, 100, 'too long'));
}

function textOf(kind: string, content: Record<string, unknown>): string {
  if (kind === 'text') {
    const text = textIn(content, 'body');
    if (text === '' || text.length > 4096) throw new Violation('text.body', refusal(400, 100, 'Invalid text'));
    return text;
  }
  if (kind === 'template') {
    const language = content['language'];
    if (!isText(content['name']) || !isObject(language) || !isText(language['code']))
      throw new Violation('template', refusal(400, 132000, 'Invalid template'));
    return textIn(content, 'name');
  }
  if (!isUrl(content['link'], ['http:', 'https:']))
    throw new Violation('link', refusal(400, 131053, 'Media upload error'));
  return captionOf(kind, content);
}

function captionOf(kind: string, content: Record<string, unknown>): string {
  const caption = textIn(content, 'caption');
  if (caption.length > 1024) throw new Violation('caption', refusal(400, 100, 'at most 1024 characters long'));
  if ((kind === 'audio' || kind === 'sticker') && 'caption' in content)
    throw new Violation('caption', refusal(400, 100, 'No captions here'));
  return caption;
}

/** `X-Hub-Signature-256`, over the exact bytes. */
export function metaRequest(appSecret: string, body: unknown): SignedRequest {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const signature = createHmac('sha256', appSecret).update(text, 'utf8').digest('hex');
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${signature}` },
    body: text,
  };
}

type Value = Record<string, unknown>;

/** A webhook with one change for each value. */
export const whatsAppBody = (phoneNumberId: string, ...values: (Value & { field?: string })[]): Value => ({
  object: 'whatsapp_business_account',
  entry: [
    {
      id: '102290129340398',
      changes: values.map(({ field = 'messages', ...value }) => ({
        field,
        value: {
          messaging_product: 'whatsapp',
          metadata: { display_phone_number: '15550783881', phone_number_id: phoneNumberId },
          ...value,
        },
      })),
    },
  ],
});

/** A text message from a contact, as the `value` of a change. `at`: milliseconds. */
export const whatsAppText = (from: string, text: string, at = Date.now(), id = `wamid.${randomUUID()}`): Value => ({
  contacts: [{ profile: { name: 'Ada Lovelace' }, wa_id: from, user_id: `US.${from}` }],
  messages: [{ from, id, timestamp: String(Math.floor(at / 1000)), type: 'text', text: { body: text } }],
});

export const whatsAppStatus = (sent: Received, status: string, errors: Value[] = []): Value => ({
  statuses: [
    {
      id: sent.id,
      status,
      timestamp: String(Math.floor(Date.now() / 1000)),
      recipient_id: sent.to.replace('+', ''),
      biz_opaque_callback_data: sent.key,
      ...(errors.length === 0 ? {} : { errors }),
    },
  ],
});

/** A page's webhook with these events, each from a contact unless `from` says otherwise. */
export const messengerBody = (pageId: string, ...events: Value[]): Value => ({
  object: 'page',
  entry: [{ id: pageId, time: Date.now(), messaging: events }],
});

export const messengerText = (
  pageId: string,
  contact: string,
  text: string,
  at = Date.now(),
  mid = `m_${randomUUID()}`,
): Value => ({
  sender: { id: contact },
  recipient: { id: pageId },
  timestamp: at,
  message: { mid, text },
});
