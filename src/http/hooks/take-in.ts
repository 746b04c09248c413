import { resolveAlias } from '../aliases.ts';
import { inOpenConversation, type Caller } from '../open-conversation.ts';
import type { Channel, HookInbound } from '../../channels/contract.ts';
import type { Automation, InboundItem } from '../../domain/conversation/commands.ts';
import type { Received } from '../../objects/conversation/receive.ts';
import { NIL_UUID } from '../../domain/ids.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import type { Account } from '../../storage/accounts.ts';
import { ASSISTANT_DEFAULTS, findAssistant } from '../../storage/assistants.ts';
import { findTimeouts } from '../../storage/customers.ts';
import { dropCopies, type CopyPlace } from '../../storage/medias.ts';

/** What a channel knows beyond what its contact did. */
interface Known {
  /** Where a repeat must have the same one. */
  messageId?: string;
  caller?: Omit<Caller, 'peer' | 'dialogId'>;
  /** Stores the message's files in their place, before the message is: no redelivery brings them again. */
  keepFiles?: (place: CopyPlace) => Promise<void>;
}

/**
 * Brings what a contact did into its conversation, durably, before it returns: one conversation per pair of addresses,
 * one message per provider id. A conversation that is over is followed by the next one.
 * @throws when an object does not answer: the provider gets a 500 and delivers again.
 */
export async function receiveInbound(
  env: Env,
  account: Account,
  channel: Channel,
  told: HookInbound,
  publicUrl: string,
  { messageId = crypto.randomUUID(), caller = {}, keepFiles }: Known = {},
): Promise<Received> {
  const inbound = await resolveAlias(env, account, channel, told);
  const ids = { messageId, deliveryId: crypto.randomUUID() };
  const settings = { ...(await findTimeouts(env, account.customerId)), publicUrl };
  const automation = await automationOf(env, account);
  const contact = { ...caller, peer: inbound.peer, dialogId: inbound.dialogId };
  const received = await inOpenConversation(env, { account, channel }, contact, {
    doneBefore: (predecessor) => answeredBefore(env, inbound, predecessor),
    attempt: async (opening) => {
      const { conversationId } = opening;
      const place = { customerId: account.customerId, conversationId, messageId };
      const isToKeep =
        keepFiles !== undefined && !(await getConversation(env, conversationId).knows(inbound.item.dedupeKey));
      if (isToKeep) await keepFiles(place);
      const item = itemOf(inbound, ids, publicUrl, channel);
      const command = { opening, automation, item, settings };
      const taken = await callObject(() => getConversation(env, conversationId).receive(command));
      // They go with the message, into the conversation that takes it.
      if (isToKeep && !taken.ok) await dropCopies(env, place);
      return taken;
    },
  });
  if (received.ok) return received.value;
  throw new Error(`what comes in is refused with ${received.error.code}`);
}

/** Who answers while no person does. An assistant that is gone is asked all the same: then people are told that it failed. */
async function automationOf(env: Env, account: Account): Promise<Automation> {
  const { messageFlowId, assistantId, customerId } = account;
  if (messageFlowId !== NIL_UUID)
    return { flow: { id: messageFlowId, activeflowId: crypto.randomUUID() }, assistant: null };
  if (assistantId === NIL_UUID) return { flow: null, assistant: null };
  // A message is taken in also while D1 is away.
  const assistant = await findAssistant(env, customerId, assistantId).catch(() => null);
  return {
    flow: null,
    assistant: { id: assistantId, debounceMs: assistant?.debounceMs ?? ASSISTANT_DEFAULTS.debounceMs },
  };
}

/** A late redelivery, or an `unsend`, of something that the conversation before this one has. */
async function answeredBefore(env: Env, inbound: HookInbound, predecessor: string): Promise<string | null> {
  const key = inbound.item.kind === 'redaction' ? inbound.item.targetKey : inbound.item.dedupeKey;
  return (await callObject(() => getConversation(env, predecessor).knows(key))) ? predecessor : null;
}

/** The item with its message's id, and with our own origin where only the account's credentials open the provider's URL. */
function itemOf(
  { item, occurredAt }: HookInbound,
  ids: { messageId: string; deliveryId: string },
  origin: string,
  { window, linksExpire }: Channel,
): InboundItem {
  if (item.kind === 'echo') return { ...item, ...ids };
  if (item.kind !== 'message') return item;
  const medias = item.medias
    .map((media) => (linksExpire && media.providerRef === '' ? { ...media, providerRef: media.url } : media))
    .map((media) => (media.providerRef === '' ? media : { ...media, url: '', origin }));
  // By the provider's clock, which decides in the end; but nothing was said in the future.
  const windowUntil = window === null || item.isNotice ? null : Math.min(occurredAt, Date.now()) + window.ms;
  return { ...item, messageId: ids.messageId, medias, windowUntil };
}
