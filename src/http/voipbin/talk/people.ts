import type { AppContext } from '../../context.ts';
import { ApiError, invalidField } from '../../errors.ts';
import { hasRole } from '../../../domain/permissions.ts';
import type { Newcomer, TalkActor } from '../../../domain/talk/commands.ts';
import { findAgents, findSignedIn, type Agent } from '../../../storage/agents.ts';

/** Talk is for people (spec section 11). `talkId`: the talk that the request names. @throws 403 AGENT_AUTH_REQUIRED for an access key. */
export function actorIn(c: AppContext, talkId: string | null = null): TalkActor {
  const principal = c.get('principal');
  if (principal.kind !== 'agent') throw new ApiError('AGENT_AUTH_REQUIRED');
  const { customerId, agentId } = principal;
  return { customerId, agentId, isAdmin: hasRole(principal, 'admin'), talkId };
}

/** An agent as it comes into a talk. */
export const newcomer = ({ id, name, username }: Agent): Newcomer => ({
  agentId: id,
  name,
  username,
  participantId: crypto.randomUUID(),
});

/** Whoever asks. */
export async function selfOf(c: AppContext): Promise<Agent> {
  const agent = await findSignedIn(c.env, actorIn(c).agentId);
  if (!agent) throw new ApiError('INVALID_CREDENTIALS');
  return agent;
}

/** The agents of these ids, in their order. `fieldOf` names the place of an id that is none of the customer's agents: that is a 400. */
export async function agentsOf(c: AppContext, ids: string[], fieldOf: (id: string) => string): Promise<Agent[]> {
  const found = new Map((await findAgents(c.env, actorIn(c).customerId, ids)).map((agent) => [agent.id, agent]));
  return ids.map((id) => {
    const agent = found.get(id);
    if (!agent) throw invalidField(fieldOf(id), 'is not one of your agents');
    return agent;
  });
}
