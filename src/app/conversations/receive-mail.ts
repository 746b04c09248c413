import { receiveInbound } from './receive.ts';
import { email } from '../../channels/email/index.ts';
import type { MailFile } from '../../channels/email/files.ts';
import { tokensIn } from '../../channels/email/outbound.ts';
import { MAX_BYTES, readMail, type ReadMail } from '../../channels/email/read-mail.ts';
import { address } from '../../domain/addresses.ts';
import { media, type Media } from '../../domain/content.ts';
import { holderOf, isClaimed } from '../../domain/conversation/identity/participants.ts';
import { isOver } from '../../domain/conversation/decide-change.ts';
import type { ConversationState } from '../../domain/conversation/state.ts';
import { configOf } from '../../env.ts';
import { errorName, log } from '../../log.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import { readAtMost } from '../../security/bounded-body.ts';
import { utf8, uuidFrom } from '../../security/encoding.ts';
import { readMailMark, readMailToken, type TokenUse } from '../../security/mail-tokens.ts';
import { findByMailAddress, type Account } from '../../storage/accounts.ts';
import { putCopy, type CopyLocation } from '../../storage/medias.ts';

/**
 * A mail that Cloudflare's Email Routing brings. When this returns it is stored, or refused with `setReject`, which its sender is told.
 * @throws when something that it needs does not answer: the sender's server tries again.
 */
export async function receiveMail(message: ForwardableEmailMessage, env: Env): Promise<void> {
  const { mailbox, token } = mailboxOf(message.to);
  const account = await findByMailAddress(env, mailbox);
  if (!account) return message.setReject('mailbox does not exist');
  const raw = message.rawSize > MAX_BYTES ? null : await readAtMost(message.raw, MAX_BYTES);
  if (!raw) return message.setReject('the mail is larger than 25 MB');
  const read = await readMail(raw, message.from);
  if (!read.ok) return message.setReject(read.error);
  const mail = read.value;
  if (mail.kind === 'bounce') return receiveBounce(env, account, mail);
  if (await isLoop(env, account, mail))
    return log('warn', 'our own mail came back and was dropped', { account: account.id });
  if (mail.from.address === '') return message.setReject('the mail names no sender');
  await storeMail(env, account, mail, token);
}

/** `support+<token>@…`: the account's address, and what follows the plus sign. */
function mailboxOf(to: string): { mailbox: string; token: string } {
  const [, local = '', token = '', domain = ''] = /^([^+@]*)(?:\+([^@]*))?(@.*)$/.exec(to.trim().toLowerCase()) ?? [];
  return { mailbox: `${local}${domain}`, token };
}

/** What the customer sent itself, by our mark or its sender: an answer to it would come back for ever. */
async function isLoop(env: Env, { customerId }: Account, { ownMark, from }: ReadMail): Promise<boolean> {
  if (ownMark !== null && (await readMailMark(env, ownMark)) !== null) return true;
  const sender = from.address === '' ? null : await findByMailAddress(env, mailboxOf(from.address).mailbox);
  return sender?.customerId === customerId;
}

/** A report on a mail of ours that could not be delivered. One that names none of ours is dropped. */
async function receiveBounce(env: Env, { id: account, customerId }: Account, { bounce }: ReadMail): Promise<void> {
  const mark = bounce?.mark ? await readMailMark(env, bounce.mark) : null;
  if (!bounce || !mark) return log('warn', 'a report about no mail of ours was dropped', { account });
  if (bounce.action === 'delayed' || bounce.action === 'other') return;
  const error = { code: bounce.status, text: bounce.diagnostic.slice(0, MAX_DIAGNOSTIC) };
  const news = bounce.action === 'failed' ? { status: 'failed' as const, error } : { status: 'delivered' as const };
  await callObject(() => getConversation(env, mark.conversationId).receipt(customerId, mark.deliveryId, news));
}

const MAX_DIAGNOSTIC = 500;

async function storeMail(env: Env, account: Account, mail: ReadMail, token: string): Promise<void> {
  const { from, messageId, references, subject, text } = mail;
  const candidate = await conversationAddressed(env, account, token, mail);
  const medias = mediasOf(mail);
  const inbound = {
    peer: address('email', from.address, from.name),
    dialogId: from.address,
    occurredAt: Date.now(),
    item: {
      kind: 'message' as const,
      dedupeKey: `mail ${messageId}`,
      text,
      medias,
      senderId: from.address,
      senderName: from.name,
      mail: { subject, messageId, references },
      isAnswerable: mail.kind === 'personal',
      replyToken: null,
    },
  };
  const extras = {
    // With the sender, because anybody may write another one's Message-ID.
    messageId: await uuidFrom(`mail ${account.id} ${from.address} ${messageId}`),
    caller: candidate === null ? {} : { candidateConversationId: candidate },
    ...(medias.length === 0 ? {} : { keepFiles: keepMailFiles(env, mail) }),
  };
  try {
    await receiveInbound(env, { account, channel: email }, inbound, configOf(env).PUBLIC_URL, extras);
  } catch (error) {
    log('error', 'a mail could not be stored', { account: account.id, error: errorName(error) });
    throw error;
  }
}

/** A mail may name any number of references; ours names one. */
const MOST_ASKED = 5;

/**
 * The open conversation that a mail is meant for, should its sender have none with this address: the one whose reply address it uses; or
 * one that it refers to, if its sender is in it, because a reference is passed on to whoever is written to. Null: it begins one.
 */
async function conversationAddressed(
  env: Env,
  account: Account,
  token: string,
  { references, from }: ReadMail,
): Promise<string | null> {
  const byAddress = await openConversationOf(env, account, token, 'reply');
  if (byAddress) return byAddress.id;
  for (const reference of tokensIn(references).slice(-MOST_ASKED)) {
    const state = await openConversationOf(env, account, reference, 'thread');
    if (state && isIn(state, from.address)) return state.id;
  }
  return null;
}

/** Null where it is over. One that goes on in another conversation leads there. */
async function openConversationOf(
  env: Env,
  { customerId }: Account,
  token: string,
  use: TokenUse,
): Promise<ConversationState | null> {
  const id = await readMailToken(env, customerId, token, use);
  if (id === null) return null;
  const found = await callObject(() => getConversation(env, id).read(customerId));
  if (!found.ok) return null;
  const { mergedInto } = found.value;
  const last = mergedInto === null ? found : await callObject(() => getConversation(env, mergedInto).read(customerId));
  return last.ok && !isOver(last.value) ? last.value : null;
}

function isIn(state: ConversationState, from: string): boolean {
  const sender = { type: 'email' as const, target: from };
  return holderOf(state, sender) !== null || isClaimed(state, sender);
}

/** In a media's `providerRef`: its file was stored before the message was. */
const KEPT = 'kept';

/** A mail's files, and its HTML, made safe, as the last of them. */
const filesOf = ({ files, html }: ReadMail): MailFile[] =>
  html === null
    ? files
    : [...files, { filename: 'message.html', type: 'text/html', content: utf8(html), contentId: '' }];

const mediasOf = (mail: ReadMail): Media[] =>
  filesOf(mail).map(({ type, filename, contentId }) =>
    media(type, { filename, providerRef: KEPT, details: contentId === '' ? {} : { content_id: contentId } }),
  );

/** Stores them in the places of the message that is about to be stored. Idempotent. */
const keepMailFiles =
  (env: Env, mail: ReadMail) =>
  async (location: CopyLocation): Promise<void> => {
    for (const [index, { content, type, filename }] of filesOf(mail).entries())
      await putCopy(env, { ...location, index }, { type, filename }, content);
  };
