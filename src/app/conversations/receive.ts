import { inOpenConversation, type Caller } from './open.ts';
import type { ResolvedAccount } from '../accounts.ts';
import { resolveAlias } from '../contacts/aliases.ts';
import {
  providerSignal,
  type Channel,
  type HookContent,
  type HookInbound,
  type HookRequest,
} from '../../channels/contract.ts';
import type { Automation, InboundItem } from '../../domain/conversation/commands.ts';
import type { Refusal } from '../../domain/errors.ts';
import { isUuid, NIL_UUID } from '../../domain/ids.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { log } from '../../log.ts';
import type { Received } from '../../objects/conversation/receive.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import { findSiblings, type Account } from '../../storage/accounts.ts';
import { ASSISTANT_DEFAULTS, findAssistant } from '../../storage/assistants.ts';
import { findTimeouts } from '../../storage/customers.ts';
import { dropCopies, type CopyLocation } from '../../storage/medias.ts';

/**
 * A provider's webhook: what contacts did, and what became of our sends. Everything in it is stored when this returns, and a redelivery
 * changes nothing. @throws when an object does not answer: the provider gets a 500 and delivers again.
 */
export async function receiveHook(
  env: Env,
  { account, channel }: ResolvedAccount,
  request: HookRequest,
  publicUrl: string,
): Promise<Result<null, Refusal>> {
  if (!(await channel.verify(request, account, Date.now())))
    return err({ code: 'INVALID_SIGNATURE', problem: 'the provider’s signature is missing or wrong' });
  for (const receiver of [account, ...(await siblingsOf(env, account, channel, request))]) {
    const parsed = channel.parse(request, receiver, Date.now());
    if (!parsed.ok) return err({ code: 'INVALID_HOOK_BODY', problem: parsed.error });
    await store(env, { account: receiver, channel }, parsed.value, publicUrl);
  }
  return ok(null);
}

/**
 * The customer's other numbers or pages of the same app (its secret signs for all of them) that a request is about too. Unknown ones
 * are logged: somebody has an account to create.
 */
async function siblingsOf(env: Env, account: Account, channel: Channel, request: HookRequest): Promise<Account[]> {
  const about = channel.addressees?.(request);
  const others = [...new Set(about?.ids)].filter((id) => id !== account.providerData[about?.field ?? '']);
  if (!about || others.length === 0) return [];
  const named = await findSiblings(env, account, about.field, others);
  const found = named.filter(({ secret }) => secret === account.secret);
  const missing = others.filter((id) => !found.some(({ providerData }) => providerData[about.field] === id));
  if (missing.length > 0) log('warn', 'hook about unknown numbers', { account: account.id, count: missing.length });
  return found;
}

/** One after the other, by the provider's clock: what one contact said keeps its order. */
async function store(env: Env, resolved: ResolvedAccount, content: HookContent, publicUrl: string): Promise<void> {
  const inOrder = content.inbound.toSorted((a, b) => a.occurredAt - b.occurredAt);
  for (const inbound of inOrder) await receiveInbound(env, resolved, inbound, publicUrl);
  const { account, channel } = resolved;
  for (const { conversationId, deliveryId, news } of content.receipts) {
    if (!isUuid(conversationId)) continue;
    const signalled = { ...news, ...providerSignal(channel, news.error?.code) };
    await callObject(() =>
      getConversation(env, conversationId.toLowerCase()).receipt(account.customerId, deliveryId, signalled),
    );
  }
}

/** What a channel knows beyond what its contact did. */
interface InboundExtras {
  /** Where a repeat must have the same one. */
  messageId?: string;
  caller?: Omit<Caller, 'peer' | 'dialogId'>;
  /** Stores the message's files before the message is stored, where no redelivery brings them again. */
  keepFiles?: (location: CopyLocation) => Promise<void>;
}

/**
 * Brings what a contact did into its conversation, durably, before it returns: one conversation per pair of addresses,
 * one message per provider id. A conversation that is over is followed by the next one.
 * @throws when an object does not answer.
 */
export async function receiveInbound(
  env: Env,
  resolved: ResolvedAccount,
  given: HookInbound,
  publicUrl: string,
  { messageId = crypto.randomUUID(), caller = {}, keepFiles }: InboundExtras = {},
): Promise<Received> {
  const { account, channel } = resolved;
  const { customerId } = account;
  const inbound = await resolveAlias(env, resolved, given);
  const ids = { messageId, deliveryId: crypto.randomUUID() };
  const settings = { ...(await findTimeouts(env, customerId)), publicUrl };
  const automation = await automationOf(env, account);
  const contact = { ...caller, peer: inbound.peer, dialogId: inbound.dialogId };
  const received = await inOpenConversation(env, resolved, contact, {
    doneBefore: (predecessor) => knownTo(env, inbound, predecessor),
    attempt: async (opening) => {
      const { conversationId } = opening;
      const conversation = () => getConversation(env, conversationId);
      const location = { customerId, conversationId, messageId };
      const isToKeep = keepFiles !== undefined && !(await conversation().knows(inbound.item.dedupeKey));
      if (isToKeep) await keepFiles(location);
      const item = itemOf(inbound, ids, publicUrl, channel);
      const done = await callObject(() => conversation().receive({ opening, automation, item, settings }));
      // The files belong to the conversation that accepts the message.
      if (isToKeep && !done.ok) await dropCopies(env, location);
      return done;
    },
  });
  if (received.ok) return received.value;
  throw new Error(`an inbound item was refused with ${received.error.code}`);
}

/** Who answers while no person does. An assistant that is gone is asked all the same: then people learn that it failed. */
async function automationOf(env: Env, account: Account): Promise<Automation> {
  const { messageFlowId, assistantId, customerId } = account;
  if (messageFlowId !== NIL_UUID)
    return { flow: { id: messageFlowId, activeflowId: crypto.randomUUID() }, assistant: null };
  if (assistantId === NIL_UUID) return { flow: null, assistant: null };
  // A message is received also while D1 is away.
  const assistant = await findAssistant(env, customerId, assistantId).catch(() => null);
  return {
    flow: null,
    assistant: { id: assistantId, debounceMs: assistant?.debounceMs ?? ASSISTANT_DEFAULTS.debounceMs },
  };
}

/** A late redelivery, or an `unsend`, of something that an earlier conversation has. */
async function knownTo(env: Env, { item }: HookInbound, predecessor: string): Promise<string | null> {
  const key = item.kind === 'redaction' ? item.targetKey : item.dedupeKey;
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
