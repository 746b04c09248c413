import type { ResolvedAccount } from './accept-message.ts';
import type { Channel, HookInbound } from '../channels/contract.ts';
import type { Address } from '../domain/addresses.ts';
import type { Opening } from '../domain/conversation/commands.ts';
import type { Refusal } from '../domain/errors.ts';
import type { Result } from '../domain/result.ts';
import type { ServiceWindow } from '../domain/conversation/delivery/service-window.ts';
import { participantOf } from './participants.ts';
import { addressText } from '../domain/conversation/identity/participants.ts';
import { addressName, callObject, getConversation, getDirectory } from '../objects/stubs.ts';

/** How often a conversation may end between finding it and reaching it. */
const MAX_ROLLOVERS = 5;

/** Whose conversation it is, and what is known of that beyond the pair of addresses. */
export interface Caller extends Pick<HookInbound, 'peer' | 'dialogId'> {
  /** The conversation to use where the addresses have none that is open: one that is there, or a new id. */
  candidateConversationId?: string;
  /** What a conversation begins with, or learns, beside what the addresses say. */
  opening?: Partial<Pick<Opening, 'name' | 'detail' | 'introduction'>>;
}

interface Work<T> {
  /** Given one of the conversations before this one: it again where it has done the same already, or null. */
  doneBefore: (predecessor: string) => Promise<string | null>;
  /** Given the conversation that is tried, and what it begins with if there is none yet. Refused with CONVERSATION_CLOSED, it is tried in the contact's next conversation. */
  attempt: (opening: Opening) => Promise<Result<T, Refusal>>;
}

/**
 * Works in the one conversation of a pair of addresses (invariant 2); one that is over is followed by the next.
 * @throws when an object does not answer.
 */
export async function inOpenConversation<T>(
  env: Env,
  resolved: ResolvedAccount,
  contact: Caller,
  { doneBefore, attempt }: Work<T>,
): Promise<Result<T, Refusal>> {
  const { account, channel } = resolved;
  const self = channel.self(account);
  const name = await pairName(resolved, contact.peer.target);
  const address = () => env.ADDRESS.getByName(name);
  const whose = addressText(contact.peer);
  const over: string[] = [];
  const directory = getDirectory(env, account.customerId);
  const { candidateConversationId } = contact;
  const candidate = () =>
    candidateConversationId === undefined || over.includes(candidateConversationId)
      ? crypto.randomUUID()
      : candidateConversationId;
  // Where it went on may be over as well: then it is none.
  const next = (merged: string | null = null) =>
    callObject(() =>
      directory.open(whose, name, merged === null || over.includes(merged) ? candidate() : merged, over),
    );
  const claim = (await callObject(() => address().lookup())) ?? (await address().resolve(await next()));
  let { optOut, window } = claim;
  const asked = await Promise.all(claim.predecessors.map(doneBefore));
  let conversationId = asked.find((id) => id !== null) ?? claim.conversationId;
  for (let rollovers = 0; rollovers < MAX_ROLLOVERS; rollovers += 1) {
    const known = { conversationId, addressName: name, optOut, window: windowOf(channel, window) };
    const opening = { ...(await openingOf(resolved, contact, self.address)), ...contact.opening, ...known };
    const done = await attempt(opening);
    if (done.ok || done.error.code !== 'CONVERSATION_CLOSED') return done;
    const last = conversationId;
    over.push(last);
    const left = channel.window && (await callObject(() => getConversation(env, last).windowBy(name)));
    const merged = await callObject(() => getConversation(env, last).mergedInto());
    const following = await next(merged);
    ({ conversationId, optOut, window } = await callObject(() => address().advance(last, following, left)));
  }
  throw new Error('conversations close faster than they open');
}

/** The name of the AddressObject of one of ours and one of a contact's. */
export const pairName = ({ account, channel }: ResolvedAccount, theirs: string): Promise<string> =>
  addressName({
    customerId: account.customerId,
    channel: channel.conversationType,
    ours: channel.self(account).key,
    theirs,
  });

const windowOf = ({ window }: Channel, left: ServiceWindow | null): Opening['window'] =>
  window && { humanExtraMs: window.humanExtraMs, left };

/** Also for a conversation that is made on request (conversations-by-participants.ts). */
export async function openingOf(
  { account, channel }: ResolvedAccount,
  { peer, dialogId }: Pick<HookInbound, 'peer' | 'dialogId'>,
  self: Address,
): Promise<Omit<Opening, 'conversationId' | 'addressName' | 'optOut' | 'window'>> {
  const shown = peer.targetName || peer.target || 'Unknown';
  return {
    customerId: account.customerId,
    accountId: account.id,
    type: channel.conversationType,
    dialogId,
    name: `${channel.label} · ${shown}`,
    detail: `${channel.label} conversation`,
    self,
    peer,
    participants: [await participantOf(account.customerId, peer.targetName, [peer])],
  };
}
