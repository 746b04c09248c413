import { tokensIn } from '../../channels/email/outbound.ts';
import { isOver } from '../../domain/conversation/lifecycle.ts';
import { holderOf, isClaimed } from '../../domain/conversation/identity/membership.ts';
import type { ConversationState } from '../../domain/conversation/state.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import { readMailToken, type TokenUse } from '../../security/mail-tokens.ts';
import type { Account } from '../../storage/accounts.ts';

interface Addressed {
  /** After the plus sign of the address that it was sent to. */
  token: string;
  references: string[];
  from: string;
}

/**
 * The open conversation that a mail is meant for, should its sender have none with this address: the one whose reply address it uses; or
 * one that it refers to, if its sender is in it, because a reference is passed on to whoever is written to. Null: it begins one.
 */
export async function conversationAddressed(env: Env, account: Account, addressed: Addressed): Promise<string | null> {
  const byAddress = await openOne(env, account, addressed.token, 'reply');
  if (byAddress) return byAddress.id;
  for (const token of tokensIn(addressed.references).slice(-MOST_ASKED)) {
    const state = await openOne(env, account, token, 'thread');
    if (state && isIn(state, addressed.from)) return state.id;
  }
  return null;
}

/** A mail may name any number; ours names one. */
const MOST_ASKED = 5;

/** Also one that has gone on in another: there, then. */
async function openOne(env: Env, account: Account, token: string, use: TokenUse): Promise<ConversationState | null> {
  const id = await readMailToken(env, account.customerId, token, use);
  if (id === null) return null;
  const found = await callObject(() => getConversation(env, id).read(account.customerId));
  if (!found.ok) return null;
  const { mergedInto } = found.value;
  const last =
    mergedInto === null ? found : await callObject(() => getConversation(env, mergedInto).read(account.customerId));
  return last.ok && !isOver(last.value) ? last.value : null;
}

function isIn(state: ConversationState, from: string): boolean {
  const address = { type: 'email' as const, target: from };
  return holderOf(state, address) !== null || isClaimed(state, address);
}
