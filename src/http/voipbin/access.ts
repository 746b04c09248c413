import type { AppContext } from '../context.ts';
import { ApiError, valueOf } from '../errors.ts';
import { allow } from '../middleware/authenticate.ts';
import type { ConversationState } from '../../domain/conversation/state.ts';
import { hasRole, isOwner, owningAgent } from '../../domain/permissions.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';

/**
 * Who may use a family of conversation routes (seed 001, spec section 9): `/conversations` is the managers',
 * `/service_agents/conversations` also the owning agent's.
 */
export type Access = 'managers' | 'owners';

/** Stands before validation: on the managers' routes an agent is refused whatever it asks. */
export const guardOf = (access: Access) => allow(access === 'managers' ? 'manager-or-admin' : 'agent');

export const ownerActing = (c: AppContext): string | null => owningAgent(c.get('principal'));

/** The conversation, for who may read it. @throws 404 and 403 as ApiError. */
export async function readableConversation(c: AppContext, id: string): Promise<ConversationState> {
  const principal = c.get('principal');
  const state = valueOf(await callObject(() => getConversation(c.env, id).read(principal.customerId)));
  if (!hasRole(principal, 'manager-or-admin') && !isOwner(principal, state.ownerId))
    throw new ApiError('PERMISSION_DENIED');
  return state;
}
