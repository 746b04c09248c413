import type { AppContext } from './context.ts';
import { ApiError, invalidField, valueOf } from './errors.ts';
import { tooLarge } from './file-sizes.ts';
import { attach } from './medias/attach.ts';
import { idempotencyOf } from './once.ts';
import { publicUrlOf } from './origin.ts';
import { orAsBefore } from './request-keys.ts';
import { templateText, usableTemplates } from './templates.ts';
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
export interface Carrier {
  account: Account;
  channel: Channel;
}

export async function carrierOf(c: AppContext, accountId: string): Promise<Carrier> {
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
}

/** Stored and ordered when it returns. @throws what the channel or the conversation refuses, as ApiError. */
export async function acceptMessage(
  c: AppContext,
  { id, accountId }: Pick<ConversationState, 'id' | 'accountId'>,
  wanted: WantedMessage,
): Promise<Message> {
  return orAsBefore(
    c,
    () => Promise.resolve(id),
    async () => {
      const carrier = await carrierOf(c, accountId);
      const command = await commandFor(c, carrier, wanted);
      return accepted(c, carrier, await callObject(() => getConversation(c.env, id).send(command)));
    },
  );
}

/** @throws 400 for what the channel does not take. */
export async function commandFor(c: AppContext, { account, channel }: Carrier, wanted: WantedMessage) {
  const { template } = wanted;
  const attached = await attach(c, wanted.medias);
  const medias = attached.map((each) => each.media);
  const text = template ? await templateText(c, account, channel, template) : wanted.text;
  const tooMuch = overLimit(channel, text, medias) ?? (await tooLarge(c.env, channel, attached));
  if (tooMuch) throw invalidField(tooMuch.field, tooMuch.problem);
  return sendCommand(c, channel, { ...wanted, text }, medias);
}

/** @throws the refusal; WINDOW_CLOSED with what may be sent instead. */
export async function accepted(
  c: AppContext,
  { account, channel }: Carrier,
  sent: Result<Message, Refusal>,
): Promise<Message> {
  if (sent.ok || sent.error.code !== 'WINDOW_CLOSED') return valueOf(sent);
  const templates = await usableTemplates(c.env, account, channel);
  throw new ApiError('WINDOW_CLOSED', undefined, { templates });
}

async function sendCommand(
  c: AppContext,
  channel: Channel,
  wanted: WantedMessage,
  medias: Media[],
): Promise<SendCommand> {
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
    segments: channel.segments(wanted.text),
    idempotency: await idempotencyOf(c),
    settings: { ...timeouts, publicUrl: publicUrlOf(c) },
  };
}
