import { claim } from './address-claims.ts';
import { participantOf, type PersonDetails } from './participants.ts';
import { accountFor, type ResolvedAccount } from '../accounts.ts';
import type { Channel, HookInbound } from '../../channels/contract.ts';
import { address, type Address } from '../../domain/addresses.ts';
import type { Opening } from '../../domain/conversation/commands.ts';
import type { ServiceWindow } from '../../domain/conversation/delivery/service-window.ts';
import { addressText } from '../../domain/conversation/identity/participants.ts';
import type { ConversationState, ContactAddress } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import { err, type Result } from '../../domain/result.ts';
import { addressName, callObject, getConversation, getDirectory } from '../../objects/stubs.ts';
import { findAllAccounts } from '../../storage/accounts.ts';
import { findTimeouts } from '../../storage/customers.ts';

/** How often a conversation may end between being found and being reached. */
const MAX_ROLLOVERS = 5;

/** Whose conversation it is, and what is known of that beyond the pair of addresses. */
export interface Caller extends Pick<HookInbound, 'peer' | 'dialogId'> {
  /** The conversation to use where the addresses have no open one: an existing one, or a new id. */
  candidateConversationId?: string;
  /** What a conversation begins with, or learns, beside what the addresses tell. */
  opening?: Partial<Pick<Opening, 'name' | 'detail' | 'introduction'>>;
}

interface Work<T> {
  /** Given one of the conversations before this one: its id again where it has done the same already, or null. */
  doneBefore: (predecessor: string) => Promise<string | null>;
  /** Given what the conversation begins with if there is none yet. Refused with CONVERSATION_CLOSED, it is tried in the contact's next one. */
  attempt: (opening: Opening) => Promise<Result<T, Refusal>>;
}

/**
 * Works in the one open conversation of a pair of addresses (invariant 2); one that is over is followed by the next.
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
  const pair = () => env.ADDRESS.getByName(name);
  const whose = addressText(contact.peer);
  const over: string[] = [];
  const directory = getDirectory(env, account.customerId);
  const { candidateConversationId } = contact;
  const candidate = () =>
    candidateConversationId === undefined || over.includes(candidateConversationId)
      ? crypto.randomUUID()
      : candidateConversationId;
  // The conversation in which the last one goes on may be over as well.
  const next = (merged: string | null = null) =>
    callObject(() =>
      directory.open(whose, name, merged === null || over.includes(merged) ? candidate() : merged, over),
    );
  const claimed = (await callObject(() => pair().lookup())) ?? (await pair().resolve(await next()));
  let { optOut, window } = claimed;
  const asked = await Promise.all(claimed.predecessors.map(doneBefore));
  let conversationId = asked.find((id) => id !== null) ?? claimed.conversationId;
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
    ({ conversationId, optOut, window } = await callObject(() => pair().advance(last, following, left)));
  }
  throw new Error('conversations close faster than they open');
}

/** The name of the AddressObject of one of our addresses and one of a contact's. */
export const pairName = ({ account, channel }: ResolvedAccount, theirs: string): Promise<string> =>
  addressName({
    customerId: account.customerId,
    channel: channel.conversationType,
    ours: channel.self(account).key,
    theirs,
  });

const windowOf = ({ window }: Channel, left: ServiceWindow | null): Opening['window'] =>
  window && { humanExtraMs: window.humanExtraMs, left };

/** What a conversation of this contact begins with, as far as the addresses tell. */
async function openingOf(
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

/** The same for an address by which nobody has written here, with its consent and service window as they are known from elsewhere. */
export async function openingByAddress(
  env: Env,
  resolved: ResolvedAccount,
  { type, target }: ContactAddress,
): Promise<Opening> {
  const { account, channel } = resolved;
  const name = await pairName(resolved, target);
  const known = await callObject(() => env.ADDRESS.getByName(name).lookup());
  const self = channel.self(account).address;
  const opening = await openingOf(resolved, { peer: address(type, target), dialogId: target }, self);
  const window = windowOf(channel, known?.window ?? null);
  return { ...opening, conversationId: '', addressName: name, optOut: known?.optOut ?? false, window };
}

/** A conversation that is asked for by the people who are to be in it (seed 002). */
export interface ConversationRequest {
  customerId: string;
  /** Empty: made from the address. */
  name: string;
  detail: string;
  people: PersonDetails[];
  publicUrl: string;
}

/**
 * The open conversation that holds some of the people's addresses, and gets the others; or else a new one. Refused with ADDRESS_TAKEN
 * when two hold some, and when no account of the customer's reaches any address of a new one.
 */
export async function openConversationWith(
  env: Env,
  request: ConversationRequest,
): Promise<Result<ConversationState, Refusal>> {
  const { customerId, people } = request;
  const addresses = people.flatMap((each) => each.addresses);
  const first = await firstReachable(env, customerId, addresses);
  const settings = { ...(await findTimeouts(env, customerId)), publicUrl: request.publicUrl };
  for (let tries = 0; tries < MAX_ROLLOVERS; tries += 1) {
    const claimed = await claim(env, customerId, addresses, first && crypto.randomUUID());
    if (!claimed.ok) return claimed;
    const id = claimed.value;
    if (id === null) return err(UNREACHABLE);
    const joining = await Promise.all(
      people.map((each) => participantOf(customerId, each.name, each.addresses, each.preferredChannel)),
    );
    const opening = first && {
      ...(await openingByAddress(env, first.resolved, first.address)),
      ...(request.name === '' ? {} : { name: request.name }),
      ...(request.detail === '' ? {} : { detail: request.detail }),
      conversationId: id,
      participants: joining,
    };
    const command = { customerId, opening, people: joining, settings };
    const opened = await callObject(() => getConversation(env, id).openWith(command));
    if (opened.ok) return opened;
    if (opened.error.code !== 'CONVERSATION_CLOSED') return err(UNREACHABLE);
  }
  throw new Error('conversations close faster than they open');
}

const UNREACHABLE: Refusal = {
  code: 'INVALID_FIELD',
  field: 'participants',
  problem: 'none of your accounts can reach any of these addresses',
};

/** What carries a new conversation until its contacts write: the first address that an account of the customer's reaches. */
async function firstReachable(env: Env, customerId: string, addresses: ContactAddress[]) {
  const accounts = await findAllAccounts(env, customerId);
  for (const each of addresses) {
    const resolved = accountFor(accounts, each);
    if (resolved) return { resolved, address: each };
  }
  return null;
}
