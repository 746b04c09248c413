import type { SendOutcome } from '../../domain/conversation/delivery/sends.ts';
import type { ChannelAccount, ChannelIo, Outbound, OutboundMail } from '../contract.ts';
import { providerText } from '../credentials.ts';
import { composeMail, type MailDraft } from './compose.ts';

/** A mail has 5 MiB in all (Cloudflare's Email Service, "Limits"), and files grow by a third in it. */
export const MAX_FILES_BYTES = 3_600_000;

/** Codes of the binding (Email Service, "Workers API", error codes) after which the same mail may go a little later. */
const LATER = ['E_RATE_LIMIT_EXCEEDED', 'E_DAILY_LIMIT_EXCEEDED', 'E_INTERNAL_SERVER_ERROR', 'E_DELIVERY_FAILED'];

/** One mail to one contact. */
export async function send(outbound: Outbound, account: ChannelAccount, io: ChannelIo): Promise<SendOutcome> {
  const { mail } = outbound;
  if (!mail) return { kind: 'rejected', code: 'NO_THREAD', text: 'the message is not a mail' };
  const files = await filesOf(outbound, account, io);
  if (files === 'later') return FILE_NOT_READ;
  if (files.includes(null)) return { kind: 'rejected', code: 'FILE_NOT_AVAILABLE', text: 'a file cannot be attached' };
  const attached = files.filter((file) => file !== null);
  const raw = await composeMail(draftOf(outbound, mail, account, attached));
  const from = providerText(account, 'address');
  try {
    return { kind: 'accepted', providerId: (await io.sendMail({ from, to: outbound.to, raw })).replace(/^<|>$/g, '') };
  } catch (error) {
    return outcomeOf(error);
  }
}

const FILE_NOT_READ: SendOutcome = {
  kind: 'retry',
  code: 'FILE_NOT_READ',
  text: 'a file could not be read now',
  retryAfterMs: null,
};

/** With null for a file that is not there, or too large; `later` while a store does not answer. */
async function filesOf({ medias }: Outbound, account: ChannelAccount, io: ChannelIo) {
  try {
    return await Promise.all(medias.map((media) => fileOf(media, account, io)));
  } catch {
    return 'later';
  }
}

async function fileOf(media: Outbound['medias'][number], { customerId }: ChannelAccount, io: ChannelIo) {
  const content = await io.readFile(media, customerId, MAX_FILES_BYTES);
  return content && { filename: media.filename, type: media.type, content };
}

function draftOf(
  outbound: Outbound,
  mail: OutboundMail,
  account: ChannelAccount,
  files: MailDraft['files'],
): MailDraft {
  const own = providerText(account, 'address');
  const [local = '', domain = ''] = own.split('@');
  return {
    messageId: `${outbound.deliveryId}@${domain}`,
    from: { address: own, name: mail.fromName },
    to: { address: outbound.to, name: '' },
    replyTo: `${local}+${mail.token}@${domain}`,
    subject: mail.subject,
    text: outbound.text,
    inReplyTo: mail.inReplyTo,
    // The first one names no real mail: it holds the thread together even when an answer comes from another address.
    references: [rootOf(mail.threadToken, domain), ...mail.references],
    isAutomatic: mail.isAutomatic,
    mark: mail.mark,
    files,
  };
}

const ROOT = /^conv\.([0-9a-z]+)@/;

const rootOf = (token: string, domain: string): string => `conv.${token}@${domain}`;

/** The tokens of conversations that a mail refers to. */
export const tokensIn = (references: readonly string[]): string[] =>
  references.flatMap((id) => ROOT.exec(id)?.[1] ?? []);

/** The binding says `E_…`; what says nothing of the kind may have taken the mail. */
function outcomeOf(error: unknown): SendOutcome {
  const code = codeOf(error);
  if (code === null) return { kind: 'unknown', code: 'NO_ANSWER', text: 'the mail service gave no answer' };
  const text = `the mail service answered ${code}`;
  return LATER.includes(code) ? { kind: 'retry', code, text, retryAfterMs: null } : { kind: 'rejected', code, text };
}

function codeOf(error: unknown): string | null {
  if (typeof error !== 'object' || error === null) return null;
  if ('code' in error && typeof error.code === 'string' && /^E_[A-Z_]+$/.test(error.code)) return error.code;
  return error instanceof Error ? (/\bE_[A-Z_]+\b/.exec(error.message)?.[0] ?? null) : null;
}
