import type { AppContext } from './context.ts';
import { ApiError, invalidField, valueOf } from './errors.ts';
import { tooLarge } from './file-sizes.ts';
import { attach } from './medias/attach.ts';
import { idempotencyOf } from './once.ts';
import { publicUrlOf } from './origin.ts';
import { replayEarlierAnswer } from './request-keys.ts';
import { templateText, usableTemplates } from './templates.ts';
import { recipientsOf } from './ways.ts';
import { ownerActing } from './voipbin/access.ts';
import type { Channel } from '../channels/contract.ts';
import { overLimit } from '../channels/limits.ts';
import { channelOf } from '../channels/registry.ts';
import type { Media, TemplateUse } from '../domain/content.ts';
import type { SendCommand } from '../domain/conversation/commands.ts';
import type { ConversationState, Message } from '../domain/conversation/state.ts';
import type { Refusal } from '../domain/errors.ts';
import { actorOf } from '../domain/permissions.ts';
import type { Result } from '../domain/result.ts';
import { callObject, getConversation } from '../objects/stubs.ts';
import { findAnyAccount, type Account } from '../storage/accounts.ts';
import { findSignedIn } from '../storage/agents.ts';
import { findTimeouts } from '../storage/customers.ts';

/** What carries a conversation's messages. */
export interface ResolvedAccount {
  account: Account;
  channel: Channel;
}

export async function resolveAccount(c: AppContext, accountId: string): Promise<ResolvedAccount> {
  const account = await findAnyAccount(c.env, accountId);
  const channel = account && channelOf(account.type, account.providerData);
  if (!channel) throw new ApiError('CONVERSATION_ACCOUNT_GONE');
  return { account, channel };
}

/** What somebody wants to send, in whichever dialect. */
export interface WantedMessage {
  text: string;
  medias: Pick<Media, 'type' | 'url' | 'filename'>[];
  template: TemplateUse | null;
  clientId: string;
  takeover: boolean;
  fence: number | null;
  expectedSequence: number | null;
  /** The conversation type that the sender wants it to go by, or empty. */
  channel: string;
  /** Should it go by e-mail; absent or empty: that of the thread. */
  subject?: string;
}

/** Stored and ordered when it returns. @throws what the channel or the conversation refuses, as ApiError. */
export function acceptMessage(c: AppContext, state: ConversationState, wanted: WantedMessage): Promise<Message> {
  return replayEarlierAnswer(c, state.id, async () => {
    const command = await commandIn(c, state, wanted);
    const sent = await callObject(() => getConversation(c.env, state.id).send(command));
    if (sent.ok || sent.error.code !== 'WINDOW_CLOSED') return valueOf(sent);
    return accepted(c, await resolveAccount(c, state.accountId), sent);
  });
}

/** The message by the best way to each participant. A template is its account's, and older conversations know no participants. */
export async function commandIn(c: AppContext, state: ConversationState, wanted: WantedMessage): Promise<SendCommand> {
  if (wanted.template || state.participants.length === 0) {
    return commandFor(c, await resolveAccount(c, state.accountId), wanted);
  }
  const attached = await attach(c, wanted.medias);
  const recipients = await recipientsOf(c, state, { text: wanted.text, attached });
  if (recipients.every(({ options }) => options.length === 0)) throw new ApiError('CONVERSATION_ACCOUNT_GONE');
  const medias = attached.map(({ media }) => media);
  return { ...(await sendCommand(c, wanted, medias)), segments: null, recipients };
}

/** By the one carrier that is meant. @throws 400 for what the channel does not take. */
export async function commandFor(c: AppContext, { account, channel }: ResolvedAccount, wanted: WantedMessage) {
  const { template } = wanted;
  const attached = await attach(c, wanted.medias);
  const medias = attached.map((each) => each.media);
  const text = template ? await templateText(c, account, channel, template) : wanted.text;
  const tooMuch = overLimit(channel, text, medias) ?? (await tooLarge(c.env, channel, attached));
  if (tooMuch) throw invalidField(tooMuch.field, tooMuch.problem);
  return { ...(await sendCommand(c, { ...wanted, text }, medias)), segments: channel.segments(text) };
}

/** @throws the refusal; WINDOW_CLOSED with what may be sent instead. */
export async function accepted(
  c: AppContext,
  { account, channel }: ResolvedAccount,
  sent: Result<Message, Refusal>,
): Promise<Message> {
  if (sent.ok || sent.error.code !== 'WINDOW_CLOSED') return valueOf(sent);
  const templates = await usableTemplates(c.env, account, channel);
  throw new ApiError('WINDOW_CLOSED', undefined, { templates });
}

async function sendCommand(
  c: AppContext,
  wanted: WantedMessage,
  medias: Media[],
): Promise<Omit<SendCommand, 'segments'>> {
  const principal = c.get('principal');
  const timeouts = await findTimeouts(c.env, principal.customerId);
  return {
    ...wanted,
    customerId: principal.customerId,
    actor: actorOf(principal),
    activeflowId: null,
    asOwner: ownerActing(c),
    actorName: principal.kind === 'agent' ? ((await findSignedIn(c.env, principal.agentId))?.name ?? '') : '',
    messageId: crypto.randomUUID(),
    deliveryId: crypto.randomUUID(),
    medias,
    recipients: null,
    idempotency: await idempotencyOf(c),
    settings: { ...timeouts, publicUrl: publicUrlOf(c) },
  };
}
