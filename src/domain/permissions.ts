/** Permission bits of an agent, as VoIPBIN numbers them (facts/voipbin.md section 6). */
export const PERMISSION = { agent: 16, admin: 32, manager: 64 } as const;

export const PERMISSION_MASK = PERMISSION.agent | PERMISSION.admin | PERMISSION.manager;

/** Who makes a request, always inside one customer. An access key counts as an administrator, and is not a person. */
export type Principal =
  | { kind: 'agent'; customerId: string; agentId: string; permission: number }
  | { kind: 'accesskey'; customerId: string; keyId: string };

export type Role = 'admin' | 'manager-or-admin' | 'agent';

const bits = (principal: Principal): number =>
  principal.kind === 'accesskey' ? PERMISSION.admin : principal.permission;

export function hasRole(principal: Principal, role: Role): boolean {
  if (role === 'agent') return true;
  const wanted = role === 'admin' ? PERMISSION.admin : PERMISSION.admin | PERMISSION.manager;
  return (bits(principal) & wanted) !== 0;
}

/** True for the person who owns a conversation; an access key owns no conversation. */
export const isOwner = (principal: Principal, ownerId: string | null): boolean =>
  principal.kind === 'agent' && ownerId !== null && principal.agentId === ownerId;

/** The agent that may act in a conversation only because it owns it; null for those who may act in any of the customer's. */
export const owningAgent = (principal: Principal): string | null =>
  principal.kind === 'accesskey' || hasRole(principal, 'manager-or-admin') ? null : principal.agentId;

export const SYSTEM: Actor = { type: 'system', id: '' };

export const actorOf = (principal: Principal): Actor =>
  principal.kind === 'agent' ? { type: 'agent', id: principal.agentId } : { type: 'accesskey', id: principal.keyId };

export const ACTOR_TYPES = ['agent', 'accesskey', 'contact', 'assistant', 'flow', 'device', 'system'] as const;

/** Who wrote a message or made a change. `device`: a person, on the business's own telephone or inbox. `system`: Parley itself. */
export interface Actor {
  type: (typeof ACTOR_TYPES)[number];
  id: string;
}
