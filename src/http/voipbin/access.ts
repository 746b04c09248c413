import type { AppContext } from '../context.ts';
import { ApiError, valueOf } from '../errors.ts';
import { allow } from '../middleware/authenticate.ts';
import type { ConversationState } from '../../domain/conversation/state.ts';
import { hasRole, isOwner } from '../../domain/permissions.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';

/**
 * Who may use a family of conversation routes (seed 001, spec section 9): `/conversations` is the managers',
 * `/service_agents/conversations` also the owning agent's.
 */
export type Access = 'managers' | 'owners';

/** Stands before validation: on the managers' routes an agent is refused whatever it asks. */
export const guardOf = (access: Access) => allow(access === 'managers' ? 'manager-or-admin' : 'agent');

/** The agent that acts because it owns the conversation, or null for those who may act in any of the customer's. */
export function ownerActing(c: AppContext): string | null {
  const principal = c.get('principal');
  return principal.kind === 'accesskey' || hasRole(principal, 'manager-or-admin') ? null : principal.agentId;
}

/** The conversation, for who may read it. @throws 404 and 403 as ApiError. */
export async function readableConversation(c: AppContext, id: string): Promise<ConversationState> {
  const principal = c.get('principal');
  const state = valueOf(await callObject(() => getConversation(c.env, id).read(principal.customerId)));
  if (!hasRole(principal, 'manager-or-admin') && !isOwner(principal, state.ownerId))
    throw new ApiError('PERMISSION_DENIED');
  return state;
}
