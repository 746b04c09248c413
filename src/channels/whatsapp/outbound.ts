import type { Media } from '../../domain/content.ts';
import type { SendOutcome } from '../../domain/conversation/delivery/sends.ts';
import type { ChannelAccount, ChannelIo, Outbound } from '../contract.ts';
import { providerText } from '../credentials.ts';
import { parseJson, webUrl } from '../encoding.ts';
import { authorized, graphUrl, postMessage } from '../meta/graph.ts';
import { writeMark } from '../meta/mark.ts';
import { callProvider, fetchFile } from '../provider-http.ts';
import { isUserId, mediaSchema, sentSchema } from './wire.ts';

/** `text.body`, a file's caption, and what each kind of file may be and weigh (Cloud API reference, "Media"). */
export const MAX_TEXT = 4096;
const MAX_CAPTION = 1024;
const MEGABYTE = 1024 * 1024;
const OFFICE = 'application/vnd.openxmlformats-officedocument.';
const KINDS: Record<string, { types: readonly string[]; maxBytes: number }> = {
  image: { types: ['image/jpeg', 'image/png'], maxBytes: 5 * MEGABYTE },
  audio: { types: ['audio/aac', 'audio/amr', 'audio/mpeg', 'audio/mp4', 'audio/ogg'], maxBytes: 16 * MEGABYTE },
  video: { types: ['video/mp4', 'video/3gpp'], maxBytes: 16 * MEGABYTE },
  sticker: { types: ['image/webp'], maxBytes: MEGABYTE / 2 },
  document: {
    types: [
      'text/plain',
      'text/csv',
      'application/pdf',
      'application/msword',
      'application/vnd.ms-excel',
      'application/vnd.ms-powerpoint',
      `${OFFICE}wordprocessingml.document`,
      `${OFFICE}spreadsheetml.sheet`,
      `${OFFICE}presentationml.presentation`,
    ],
    maxBytes: 100 * MEGABYTE,
  },
};

/** The Cloud API's name for a file's kind; null for what it takes none of. Upper case and parameters (`; codecs=opus`) say nothing here. */
function kindOf(type: string): string | null {
  const [plain = ''] = type.toLowerCase().split(';');
  return Object.keys(KINDS).find((kind) => KINDS[kind]?.types.includes(plain.trim())) ?? null;
}

/** How large a file of that type may be. */
export const maxFileBytes = (type: string): number | null => KINDS[kindOf(type) ?? '']?.maxBytes ?? null;

/** Pictures, sound and films of other kinds are refused by WhatsApp after it has accepted them: better before. */
export function refuses(text: string, medias: Pick<Media, 'type'>[]): { field: string; problem: string } | null {
  const [file] = medias;
  const kind = file && kindOf(file.type);
  if (file && kind === null) return { field: 'medias.0.type', problem: `WhatsApp takes no ${file.type}` };
  if (file && text.length > MAX_CAPTION)
    return { field: 'text', problem: `WhatsApp takes at most ${MAX_CAPTION} characters with a file` };
  const isBare = kind === 'audio' || kind === 'sticker';
  return isBare && text !== '' ? { field: 'text', problem: `cannot go with ${kind}: send it on its own` } : null;
}

/** A telephone number, a user id (facts/providers.md 1.4), or a group. */
function recipientOf(to: string): Record<string, string> {
  if (to.startsWith('+')) return { recipient_type: 'individual', to };
  return isUserId(to) ? { recipient_type: 'individual', recipient: to } : { recipient_type: 'group', to };
}

export function render(outbound: Outbound): Record<string, unknown> {
  const { to } = outbound;
  return {
    messaging_product: 'whatsapp',
    ...recipientOf(to),
    ...contentOf(outbound),
    // Comes back with every status: which delivery it is about.
    biz_opaque_callback_data: writeMark(outbound),
  };
}

function contentOf({ text, medias: [file], template }: Outbound): Record<string, unknown> {
  if (template) return { type: 'template', template: renderTemplate(template) };
  if (!file) return { type: 'text', text: { body: text, preview_url: true } };
  const kind = kindOf(file.type) ?? 'document';
  const caption = text === '' ? {} : { caption: text };
  const filename = kind === 'document' && file.filename !== '' ? { filename: file.filename } : {};
  return { type: kind, [kind]: { link: file.url, ...caption, ...filename } };
}

function renderTemplate({ name, language, parameters }: NonNullable<Outbound['template']>): Record<string, unknown> {
  const filled = parameters.map((text) => ({ type: 'text', text }));
  const components = filled.length === 0 ? {} : { components: [{ type: 'body', parameters: filled }] };
  return { name, language: { code: language }, ...components };
}

export const send = (outbound: Outbound, account: ChannelAccount, io: ChannelIo): Promise<SendOutcome> =>
  postMessage(io, account, providerText(account, 'phone_number_id'), render(outbound), idOf);

const idOf = (answer: unknown): string | undefined => sentSchema.safeParse(answer).data?.messages[0]?.id;

/** Meta tells the file's address first, for five minutes; it wants the token there too, and is the only one to get it. */
export async function fetchMedia(media: Media, account: ChannelAccount, io: ChannelIo): Promise<Response> {
  const call = await callProvider(io, graphUrl(io, media.providerRef), { headers: authorized(account) });
  const found =
    call.kind === 'answer' && call.status === 200 ? mediaSchema.safeParse(parseJson(call.text)).data : undefined;
  const url = webUrl(found?.url ?? '');
  return isMeta(url, io) ? fetchFile(io, url, authorized(account)) : new Response(null, { status: 404 });
}

function isMeta(url: string, io: ChannelIo): boolean {
  if (url === '') return false;
  const { origin, protocol, hostname } = new URL(url);
  return (
    origin === new URL(io.bases.meta).origin ||
    (protocol === 'https:' && /\.(fbsbx|fbcdn|whatsapp)\.(com|net)$/.test(hostname))
  );
}
