import type { Template } from '../../domain/content.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { ChannelAccount, ChannelIo } from '../contract.ts';
import { providerText } from '../credentials.ts';
import { parseJson } from '../encoding.ts';
import { authorized, fault, graphUrl } from '../meta/graph.ts';
import { callProvider } from '../provider-http.ts';
import { templateSchema, templatesPageSchema, type WhatsAppTemplate } from './wire.ts';

const FIELDS = 'name,language,status,category,components';
const PAGE_SIZE = 100;
/** 10,000 templates, more than any account may have (6,000). */
const MOST_PAGES = 100;
/** A hundred templates of every component at its longest. */
const PAGE_BYTES = 2 * 1024 * 1024;

/** Those that are approved. The error is a code. */
export async function listTemplates(account: ChannelAccount, io: ChannelIo): Promise<Result<Template[], string>> {
  const wabaId = providerText(account, 'waba_id');
  if (wabaId === '') return err('NO_WABA_ID');
  const found: Template[] = [];
  let after: string | undefined;
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const page = await readPage(account, io, wabaId, after);
    if (!page.ok) return page;
    found.push(...page.value.templates);
    after = page.value.after;
    if (after === undefined) break;
  }
  return ok(found);
}

interface Page {
  templates: Template[];
  after: string | undefined;
}

async function readPage(account: ChannelAccount, io: ChannelIo, wabaId: string, after: string | undefined) {
  const query = new URLSearchParams({ fields: FIELDS, limit: String(PAGE_SIZE), ...(after ? { after } : {}) });
  const url = `${graphUrl(io, wabaId, 'message_templates')}?${query.toString()}`;
  const call = await callProvider(io, url, { headers: authorized(account) }, PAGE_BYTES);
  if (call.kind === 'no-answer') return err(call.code);
  const { data: page } = templatesPageSchema.safeParse(parseJson(call.text));
  if (call.status !== 200 || !page) return err(fault(call.text)?.code ?? `HTTP_${call.status}`);
  const rows = page.data.flatMap((raw) => templateSchema.safeParse(raw).data ?? []);
  const templates = rows.filter(({ status }) => status === 'APPROVED').map(templateOf);
  return ok<Page>({ templates, after: page.paging.next === undefined ? undefined : page.paging.cursors.after });
}

function templateOf(raw: WhatsAppTemplate): Template {
  const { name, language, category, components } = raw;
  const text = components.find(({ type }) => type === 'BODY')?.text ?? '';
  const numbers = [...text.matchAll(/\{\{(\d+)\}\}/g)].map(([, number]) => Number(number));
  return { name, language, category, text, parameters: Math.max(0, ...numbers), needs: needsOf(raw) };
}

/** What a template asks for beside the body's numbered parameters: we would have to fill it, and do not. */
function needsOf({ components }: WhatsAppTemplate): string | null {
  for (const { type, format, text, buttons } of components) {
    if (type === 'HEADER' && !['', 'TEXT'].includes(format)) return `a header of ${format.toLowerCase()}`;
    if (type === 'HEADER' && /\{\{/.test(text)) return 'a parameter in its header';
    if (type === 'BODY' && /\{\{\s*[^\d\s}]/.test(text)) return 'named parameters';
    if (buttons.some((button) => /\{\{/.test(button.url) || NEEDY_BUTTONS.has(button.type)))
      return 'a button’s parameter';
  }
  return null;
}

const NEEDY_BUTTONS = new Set(['COPY_CODE', 'OTP', 'FLOW', 'CATALOG', 'MPM']);
