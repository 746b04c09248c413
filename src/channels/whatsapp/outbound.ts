import type { Media, Template } from '../../domain/content.ts';
import type { SendOutcome } from '../../domain/conversation/sends.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { ChannelAccount, ChannelIo, Outbound } from '../contract.ts';
import { providerText } from '../credentials.ts';
import { parseJson, webUrl } from '../encoding.ts';
import { authorized, fault, graphUrl, postMessage } from '../meta/graph.ts';
import { writeMark } from '../meta/mark.ts';
import { callProvider, fetchFile } from '../provider-http.ts';
import { mediaSchema, sentSchema, templatesSchema } from './wire.ts';

/** `text.body`, and what each kind of file may be (Cloud API reference, "Media"). */
export const MAX_TEXT = 4096;
const KINDS: Record<string, readonly string[]> = {
  image: ['image/jpeg', 'image/png'],
  audio: ['audio/aac', 'audio/amr', 'audio/mpeg', 'audio/mp4', 'audio/ogg'],
  video: ['video/mp4', 'video/3gpp'],
  sticker: ['image/webp'],
};

/** The Cloud API's name for a file's kind: whatever has none of its own goes as a document. Null for what is no file. */
function kindOf(type: string): string | null {
  const found = Object.keys(KINDS).find((kind) => KINDS[kind]?.includes(type));
  return found ?? (/^(text|application)\//.test(type) ? 'document' : null);
}

/** Pictures, sound and films of other kinds are refused by WhatsApp after it has accepted them: better before. */
export function refuses(text: string, medias: Pick<Media, 'type'>[]): { field: string; problem: string } | null {
  const [file] = medias;
  const kind = file && kindOf(file.type);
  if (file && kind === null) return { field: 'medias.0.type', problem: `WhatsApp takes no ${file.type}` };
  const isBare = kind === 'audio' || kind === 'sticker';
  return isBare && text !== '' ? { field: 'text', problem: `cannot go with ${kind}: send it on its own` } : null;
}

export function render(outbound: Outbound): Record<string, unknown> {
  const { to } = outbound;
  return {
    messaging_product: 'whatsapp',
    recipient_type: 'individual',
    ...(to.startsWith('+') ? { to } : { recipient: to }),
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

const TEMPLATE_FIELDS = 'name,language,status,category,components';
const MOST_TEMPLATES = 250;

/** Those that are approved. The error is a code. */
export async function listTemplates(account: ChannelAccount, io: ChannelIo): Promise<Result<Template[], string>> {
  const wabaId = providerText(account, 'waba_id');
  if (wabaId === '') return err('NO_WABA_ID');
  const url = `${graphUrl(io, wabaId, 'message_templates')}?fields=${TEMPLATE_FIELDS}&limit=${MOST_TEMPLATES}`;
  const call = await callProvider(io, url, { headers: authorized(account) });
  if (call.kind === 'no-answer') return err(call.code);
  const { data } = templatesSchema.safeParse(parseJson(call.text));
  if (call.status !== 200 || !data) return err(fault(call.text)?.code ?? `HTTP_${call.status}`);
  return ok(data.data.filter(({ status }) => status === 'APPROVED').map(templateOf));
}

function templateOf(raw: {
  name: string;
  language: string;
  category: string;
  components: { type: string; text: string }[];
}): Template {
  const text = raw.components.find(({ type }) => type === 'BODY')?.text ?? '';
  const places = [...text.matchAll(/\{\{(\d+)\}\}/g)].map(([, place]) => Number(place));
  const { name, language, category } = raw;
  return { name, language, category, text, parameters: Math.max(0, ...places) };
}
