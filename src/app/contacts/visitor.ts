import { withCustomerLock, type CustomerLock } from './lock.ts';
import { accountFor, type ResolvedAccount } from '../accounts.ts';
import { channelIo } from '../channel-io.ts';
import { overAmong } from '../conversations/address-claims.ts';
import { giveUp, moveAddresses, type Move } from '../conversations/join.ts';
import { openingByAddress, pairName, type Caller } from '../conversations/open.ts';
import { participantOf } from '../conversations/participants.ts';
import { composeMail } from '../../channels/email/compose.ts';
import { newBinding } from '../../domain/conversation/identity/bindings.ts';
import {
  peopleOf,
  addressText,
  claimedAddress,
  heldAddresses,
  isAmong,
} from '../../domain/conversation/identity/participants.ts';
import type { ContactAddress, NewParticipant, ChannelBinding } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { configOf } from '../../env.ts';
import { callObject, getConversation, getDirectory } from '../../objects/stubs.ts';
import type { Identity } from '../../security/identity-token.ts';
import { signVerification } from '../../security/verification-token.ts';
import type { Visitor } from '../../security/visitor-token.ts';
import { knownAccounts } from '../../storage/accounts.ts';

/** A visitor of the web chat, and who it has proved to be (spec section 11). */
export interface KnownVisitor {
  visitor: Visitor;
  /** As the site calls it, or empty. */
  name: string;
  proved: ContactAddress[];
}

export const chatAddress = ({ id }: Pick<Visitor, 'id'>): ContactAddress => ({ type: 'chat', target: id });

export async function knownVisitor(env: Env, resolved: ResolvedAccount, visitor: Visitor): Promise<KnownVisitor> {
  const name = await pairName(resolved, visitor.id);
  const proofs = await callObject(() => env.ADDRESS.getByName(name).proofs());
  return { visitor, name: proofs.name, proved: proofs.addresses };
}

/** Keeps for good what the site, or an opened link, has proved of a visitor. */
export async function prove(
  env: Env,
  resolved: ResolvedAccount,
  visitor: Visitor,
  identity: Identity,
): Promise<KnownVisitor> {
  const name = await pairName(resolved, visitor.id);
  const proofs = { name: identity.name, addresses: provedBy(identity) };
  const all = await callObject(() => env.ADDRESS.getByName(name).prove(proofs));
  return { visitor, name: all.name, proved: all.addresses };
}

export const provedBy = ({ email, phone_number }: Identity): ContactAddress[] => [
  ...(email === '' ? [] : [{ type: 'email' as const, target: email }]),
  ...(phone_number === '' ? [] : [{ type: 'tel' as const, target: phone_number }]),
];

/** The conversation of a visitor, or else the id of the one that its first message opens. */
export async function conversationOf(env: Env, resolved: ResolvedAccount, visitor: Visitor): Promise<string> {
  const name = await pairName(resolved, visitor.id);
  const pair = () => env.ADDRESS.getByName(name);
  const known = await callObject(() => pair().lookup());
  if (known) return known.conversationId;
  const { customerId } = resolved.account;
  const whose = addressText(chatAddress(visitor));
  const chosen = await callObject(() => getDirectory(env, customerId).open(whose, name, crypto.randomUUID(), []));
  return (await callObject(() => pair().resolve(chosen))).conversationId;
}

/**
 * Tells a visitor's conversation what the visitor has typed or proved. Where it has proved to be somebody who has a conversation, that
 * one takes both over. @returns the conversation's id.
 */
export async function introduce(
  env: Env,
  resolved: ResolvedAccount,
  known: KnownVisitor,
): Promise<Result<string, Refusal>> {
  const joined = await joinProved(env, resolved, known);
  if (!joined.ok) return joined;
  const id = await conversationOf(env, resolved, known.visitor);
  const person = await personOf(resolved, known);
  const own = newBinding(await openingByAddress(env, resolved, chatAddress(known.visitor)));
  const bindings = [own, ...(await otherBindings(env, resolved, person))];
  const attachment = { kind: 'attach_person' as const, person, bindings, merges: null };
  // Refused where the conversation has not begun yet: then the first message brings it along.
  await callObject(() => getConversation(env, id).changeMembership(resolved.account.customerId, attachment));
  return ok(id);
}

/** What a visitor's message brings along for its conversation. */
export async function callerOf(
  env: Env,
  resolved: ResolvedAccount,
  known: KnownVisitor,
): Promise<Omit<Caller, 'peer' | 'dialogId'>> {
  const person = await personOf(resolved, known);
  return { opening: { introduction: { person, bindings: await otherBindings(env, resolved, person) } } };
}

/** A visitor as a participant. Its contact is that of what it has proved, and else its own. */
async function personOf(
  { account }: ResolvedAccount,
  { visitor, name, proved }: KnownVisitor,
): Promise<NewParticipant> {
  const address = chatAddress(visitor);
  const person = await participantOf(account.customerId, name || visitor.name, [...proved, address]);
  const isTyped =
    visitor.email !== '' && !proved.some(({ type, target }) => type === 'email' && target === visitor.email);
  const claimed = isTyped ? [claimedAddress({ type: 'email', target: visitor.email })] : [];
  const held = person.addresses.map((one) =>
    isAmong(one, proved) ? { ...one, provedBy: [addressText(address)] } : one,
  );
  return { ...person, addresses: [...held, ...claimed] };
}

/** What else reaches a visitor, as far as the customer has accounts for it: answers go there when the visitor has left. */
async function otherBindings(
  env: Env,
  { account }: ResolvedAccount,
  person: NewParticipant,
): Promise<ChannelBinding[]> {
  const others = person.addresses.filter(({ type }) => type !== 'chat');
  if (others.length === 0) return [];
  // A message is received also while D1 is away.
  const accounts = await knownAccounts(env, account.customerId).catch(() => []);
  const bindings = others.map(async (address) => {
    const resolved = accountFor(accounts, address);
    return resolved ? [newBinding(await openingByAddress(env, resolved, address))] : [];
  });
  return (await Promise.all(bindings)).flat();
}

type Proved = Pick<KnownVisitor, 'visitor' | 'proved'>;

/**
 * Makes one of all open conversations of what a visitor has proved to be: the first of theirs that is known, else the visitor's own. It
 * holds all of the addresses from then on, so that whatever comes from one of them comes there.
 */
export async function joinProved(
  env: Env,
  resolved: ResolvedAccount,
  { visitor, proved }: Proved,
): Promise<Result<null, Refusal>> {
  const known = { visitor, proved };
  if (proved.length === 0) return ok(null);
  const { others } = await holdersOf(env, resolved, known);
  if (others.length === 0) {
    await claimAll(env, resolved, known);
    return ok(null);
  }
  return withCustomerLock(env, resolved.account.customerId, async (lock) => {
    // One that ends meanwhile is not among them the second time.
    const joined = await joinAll(env, lock, resolved, known);
    if (!joined.ok) await joinAll(env, lock, resolved, known);
    await claimAll(env, resolved, known);
    return ok(null);
  });
}

/** The open conversations of what it has proved to be, and of the visitor itself. */
async function holdersOf(env: Env, { account: { customerId } }: ResolvedAccount, { visitor, proved }: Proved) {
  const texts = [...proved, chatAddress(visitor)].map(addressText);
  const over = await overAmong(env, customerId, texts);
  const holders = async (addresses: string[]) =>
    (await callObject(() => getDirectory(env, customerId).holders(addresses))).filter((id) => !over.includes(id));
  const [into, ...others] = [...new Set([...(await holders(proved.map(addressText))), ...(await holders(texts))])];
  return { texts, over, into, others };
}

/** Refused when one of them has ended meanwhile. */
async function joinAll(
  env: Env,
  lock: CustomerLock,
  resolved: ResolvedAccount,
  known: Proved,
): Promise<Result<null, Refusal>> {
  const { into, others } = await holdersOf(env, resolved, known);
  if (into === undefined) return ok(null);
  for (const from of others) {
    const joined = await joinOne(env, lock, resolved, { from, into }, known);
    if (!joined.ok) return joined;
  }
  return ok(null);
}

async function claimAll(env: Env, resolved: ResolvedAccount, known: Proved): Promise<void> {
  const { texts, over, into, others } = await holdersOf(env, resolved, known);
  const target = into ?? crypto.randomUUID();
  await callObject(() => getDirectory(env, resolved.account.customerId).claimFor(target, texts, [...over, ...others]));
}

/** The person of one conversation moves to another; others who are in it stay. */
async function joinOne(
  env: Env,
  lock: CustomerLock,
  resolved: ResolvedAccount,
  move: Move,
  { visitor, proved }: Proved,
): Promise<Result<null, Refusal>> {
  const found = await callObject(() => getConversation(env, move.from).read(lock.customerId));
  if (!found.ok) {
    await giveUp(env, lock, move, [await pairName(resolved, visitor.id)]);
    return ok(null);
  }
  const all = [...proved, chatAddress(visitor)];
  const theirs = peopleOf(found.value).filter((each) => heldAddresses(each).some((one) => isAmong(one, all)));
  const addresses = theirs.flatMap(heldAddresses);
  return moveAddresses(env, lock, move, addresses, all);
}

/** Mails a link to an address that a visitor has typed: whoever opens it has proved to own the address. Valid for an hour. */
export async function mailVerification(
  env: Env,
  { account }: ResolvedAccount,
  { id: visitorId }: Visitor,
  email: string,
  publicUrl: string,
): Promise<Result<null, Refusal>> {
  const mailbox = (await knownAccounts(env, account.customerId)).find(({ type }) => type === 'email');
  if (!mailbox)
    return err({
      code: 'NO_CHANNEL_AVAILABLE',
      problem: 'no e-mail account can send to this address',
    });
  const token = await signVerification({ visitorId, email }, account.id, configOf(env).JWT_SECRET, Date.now());
  const link = `${publicUrl}/chat/${account.id}/verify?token=${token}`;
  const from = String(mailbox.providerData['address']);
  const raw = await composeMail({
    messageId: `${crypto.randomUUID()}@${from.split('@')[1]}`,
    from: { address: from, name: mailbox.name },
    to: { address: email, name: '' },
    replyTo: null,
    subject: 'Is this your e-mail address?',
    text: `Somebody gave this address in our chat. If it was you, open this link within an hour to go on there as yourself:\n\n${link}\n\nIf it was not you, do nothing: then nobody learns anything.`,
    inReplyTo: null,
    references: [],
    isAutomatic: true,
    mark: 'verification',
    files: [],
  });
  await channelIo(env).sendMail({ from, to: email, raw });
  return ok(null);
}
