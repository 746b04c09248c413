import type { ChannelSendJob } from './jobs.ts';
import { channelIo } from '../app/channel-io.ts';
import { providerSignal, type Channel, type Outbound, type OutboundMail } from '../channels/contract.ts';
import { channelOf } from '../channels/registry.ts';
import { storedIn, type Media } from '../domain/content.ts';
import type { MailThread } from '../domain/conversation/mail-thread.ts';
import type { SendOutcome } from '../domain/conversation/delivery/sends.ts';
import { SECOND } from '../domain/time.ts';
import { errorName, log } from '../log.ts';
import { callObject, getConversation } from '../objects/stubs.ts';
import { mailToken, writeMailMark } from '../security/mail-tokens.ts';
import { mediaLink } from '../security/media-links.ts';
import { findAnyAccount, type Account } from '../storage/accounts.ts';

type Order = NonNullable<Awaited<ReturnType<ReturnType<typeof getConversation>['claim']>>>;

/**
 * One attempt at one delivery: claim, send, report. The object decides what the outcome means; the consumer never retries.
 * @throws when the report could not be delivered: the queue redelivers the job, and the claim's lease decides.
 */
export async function attemptSend(env: Env, job: ChannelSendJob): Promise<void> {
  const account = await findAccountOrWait(env, job);
  if (account === 'wait') return;
  const channel = account && channelOf(account.type, account.providerData);
  const policy = channel?.policy ?? { idempotent: true, receiptWaitMs: 0 };
  const claimedFrom = Date.now();
  const order = await getConversation(env, job.conversationId).claim(job.deliveryId, job.attempt, policy);
  if (!order) return;
  const isLate = Date.now() - claimedFrom > START_WITHIN_MS;
  const outcome = isLate
    ? STARTED_TOO_LATE
    : account && channel
      ? ((await refusalByConsent(env, order)) ?? (await send(env, order, account, channel)))
      : ACCOUNT_GONE;
  await callObject(() => getConversation(env, job.conversationId).report(job.deliveryId, job.attempt, outcome));
}

/** A takeover waits for attempts under way (objects/conversation/send.ts). An attempt that has not started by then must not start. */
const START_WITHIN_MS = 2 * SECOND;
const STARTED_TOO_LATE: SendOutcome = {
  kind: 'retry',
  code: 'BEGUN_TOO_LATE',
  text: 'the attempt did not start in time',
  retryAfterMs: null,
};

const ACCOUNT_GONE: SendOutcome = { kind: 'rejected', code: 'ACCOUNT_GONE', text: 'the account no longer exists' };

/** `wait` while D1 does not respond: an unclaimed job returns when its publish lease expires, and does not count as an attempt. */
async function findAccountOrWait(env: Env, job: ChannelSendJob): Promise<Account | null | 'wait'> {
  try {
    return await findAnyAccount(env, job.accountId);
  } catch (error) {
    log('warn', 'account could not be read, send deferred', { account: job.accountId, error: errorName(error) });
    return 'wait';
  }
}

/** If the contact never wrote through this binding, the conversation does not know whether it opted out elsewhere. The AddressObject does. */
async function refusalByConsent(env: Env, { askConsentOf: name }: Order): Promise<SendOutcome | null> {
  if (name === null) return null;
  try {
    const hasOptedOut = await callObject(() => env.ADDRESS.getByName(name).hasOptedOut());
    return hasOptedOut ? OPTED_OUT_ELSEWHERE : null;
  } catch {
    return {
      kind: 'retry',
      code: 'CONSENT_UNREADABLE',
      text: 'the contact’s consent could not be read',
      retryAfterMs: null,
    };
  }
}

const OPTED_OUT_ELSEWHERE: SendOutcome = {
  kind: 'rejected',
  code: 'CONTACT_OPTED_OUT',
  text: 'the contact opted out in another conversation',
  optedOut: true,
};

/** An adapter that throws has a bug, and we cannot know whether its request was sent. */
async function send(env: Env, order: Order, account: Account, channel: Channel): Promise<SendOutcome> {
  try {
    const outcome = await channel.send(await buildOutbound(env, order, account), account, channelIo(env));
    return outcome.kind === 'rejected' ? { ...outcome, ...providerSignal(channel, outcome.code) } : outcome;
  } catch {
    return { kind: 'unknown', code: 'ADAPTER_FAULT', text: 'the channel adapter failed' };
  }
}

async function buildOutbound(env: Env, order: Order, account: Account): Promise<Outbound> {
  const { message, deliveryId, publicUrl, isAfterWindow } = order;
  const query = new URLSearchParams({ conversation: message.conversationId, delivery: deliveryId });
  return {
    deliveryId,
    conversationId: message.conversationId,
    messageId: message.id,
    to: order.to,
    from: order.from,
    text: message.text,
    medias: await Promise.all(message.medias.map((media) => withSignedUrl(env, publicUrl, account, media))),
    template: message.template,
    asHuman: isAfterWindow && message.sender.type === 'agent',
    replyToken: order.replyToken,
    mail: order.thread && (await buildMail(env, order, order.thread, account)),
    statusCallbackUrl: `${publicUrl}/hooks/${account.id}/status?${query.toString()}`,
  };
}

async function buildMail(
  env: Env,
  { message, deliveryId }: Order,
  thread: MailThread,
  account: Account,
): Promise<OutboundMail> {
  const { conversationId, sender } = message;
  return {
    ...thread,
    fromName: account.name,
    token: await mailToken(env, account.customerId, conversationId, 'reply'),
    threadToken: await mailToken(env, account.customerId, conversationId, 'thread'),
    mark: await writeMailMark(env, { conversationId, deliveryId }),
    isAutomatic: sender.type === 'assistant' || sender.type === 'flow',
  };
}

/** Providers have no credentials for Parley, so a file stored here gets a signed link. */
async function withSignedUrl(env: Env, publicUrl: string, { customerId }: Account, media: Media): Promise<Media> {
  const id = storedIn(media.providerRef);
  return id === null ? media : { ...media, url: await mediaLink(env, publicUrl, { customerId, id }, Date.now()) };
}
