import { keepMailFiles, mediasOf } from './mail-files.ts';
import { conversationAddressed } from './mail-thread.ts';
import { receiveInbound } from './take-in.ts';
import { MAX_BYTES, readMail, type ReadMail } from '../../channels/email/read-mail.ts';
import { email } from '../../channels/email/index.ts';
import { address } from '../../domain/addresses.ts';
import { configOf } from '../../env.ts';
import { errorName, log } from '../../log.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import { readAtMost } from '../../security/bounded-body.ts';
import { uuidFrom } from '../../security/encoding.ts';
import { readMailMark } from '../../security/mail-tokens.ts';
import { findByMailAddress, type Account } from '../../storage/accounts.ts';

/**
 * A mail that Cloudflare's Email Routing brings. When this returns it is stored, or refused with `setReject`, which its sender is told.
 * @throws when something that it needs does not answer: the sender's server tries again.
 */
export async function receiveMail(message: ForwardableEmailMessage, env: Env): Promise<void> {
  const { mailbox, token } = mailboxOf(message.to);
  const account = await findByMailAddress(env, mailbox);
  if (!account) return message.setReject('there is no such mailbox');
  const raw = message.rawSize > MAX_BYTES ? null : await readAtMost(message.raw, MAX_BYTES);
  if (!raw) return message.setReject('the mail is larger than 25 MB');
  const read = await readMail(raw, message.from);
  if (!read.ok) return message.setReject(read.error);
  const mail = read.value;
  if (mail.kind === 'bounce') return takeBounce(env, account, mail);
  const loop = await isLoop(env, account, mail);
  if (loop) return log('warn', 'our own mail came back and was dropped', { account: account.id });
  if (mail.from.address === '') return message.setReject('the mail names no sender');
  await takeMail(env, account, mail, token);
}

/** `support+<token>@…`: the account's address, and what follows the plus sign. */
function mailboxOf(to: string): { mailbox: string; token: string } {
  const [, local = '', token = '', domain = ''] = /^([^+@]*)(?:\+([^@]*))?(@.*)$/.exec(to.trim().toLowerCase()) ?? [];
  return { mailbox: `${local}${domain}`, token };
}

/** What the customer sent itself, by our mark or its sender: an answer to it would go round for ever. */
async function isLoop(env: Env, { customerId }: Account, { ownMark, from }: ReadMail): Promise<boolean> {
  if (ownMark !== null && (await readMailMark(env, ownMark)) !== null) return true;
  const sender = from.address === '' ? null : await findByMailAddress(env, mailboxOf(from.address).mailbox);
  return sender?.customerId === customerId;
}

/** A mail of ours that could not be delivered. One that names none of ours is nobody's message. */
async function takeBounce(env: Env, { id: account, customerId }: Account, { bounce }: ReadMail): Promise<void> {
  const mark = bounce?.mark ? await readMailMark(env, bounce.mark) : null;
  if (!bounce || !mark) return log('warn', 'a report about no mail of ours was dropped', { account });
  if (bounce.action === 'delayed' || bounce.action === 'other') return;
  const error = { code: bounce.status, text: bounce.diagnostic.slice(0, MAX_DIAGNOSTIC) };
  const news = bounce.action === 'failed' ? { status: 'failed' as const, error } : { status: 'delivered' as const };
  await callObject(() => getConversation(env, mark.conversationId).receipt(customerId, mark.deliveryId, news));
}

const MAX_DIAGNOSTIC = 500;

async function takeMail(env: Env, account: Account, mail: ReadMail, token: string): Promise<void> {
  const { from, messageId, references, subject, text } = mail;
  const candidate = await conversationAddressed(env, account, { token, references, from: from.address });
  const publicUrl = configOf(env).PUBLIC_URL;
  // With the sender, because anybody may write another one's Message-ID.
  const id = await uuidFrom(`mail ${account.id} ${from.address} ${messageId}`);
  const inbound = {
    peer: address('email', from.address, from.name),
    dialogId: from.address,
    occurredAt: Date.now(),
    item: {
      kind: 'message' as const,
      dedupeKey: `mail ${messageId}`,
      text,
      medias: mediasOf(mail),
      senderId: from.address,
      senderName: from.name,
      mail: { subject, messageId, references },
      isAnswerable: mail.kind === 'personal',
      replyToken: null,
    },
  };
  const known = {
    messageId: id,
    caller: candidate === null ? {} : { candidateConversationId: candidate },
    ...(mediasOf(mail).length === 0 ? {} : { keepFiles: keepMailFiles(env, mail) }),
  };
  try {
    await receiveInbound(env, account, email, inbound, publicUrl, known);
  } catch (error) {
    log('error', 'a mail could not be stored', { account: account.id, error: errorName(error) });
    throw error;
  }
}
