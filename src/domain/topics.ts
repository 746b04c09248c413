import { isUuid } from './ids.ts';
import { hasRole, type Principal } from './permissions.ts';

/**
 * Who may subscribe to what (facts/voipbin.md 1.7): `customer_id:<own customer>[:…]` managers and access keys, `agent_id:<own agent>[:…]`
 * that agent. @returns why not, or null.
 */
export function refusalOfTopic(topic: string, principal: Principal): string | null {
  const [kind, id = ''] = topic.split(':');
  if (!isUuid(id)) return 'must be customer_id:<id>[:…] or agent_id:<id>[:…]';
  if (kind === 'agent_id') {
    return principal.kind === 'agent' && principal.agentId === id ? null : 'is another agent’s';
  }
  if (kind !== 'customer_id') return 'must begin with customer_id or agent_id';
  if (principal.customerId !== id) return 'is another customer’s';
  return hasRole(principal, 'manager-or-admin') ? null : 'is for managers: subscribe to agent_id:<your id>';
}

interface Subject {
  customerId: string;
  /** `conversation` or `chat`. */
  resource: string;
  id: string;
  /** The event's name. */
  type: string;
}

/** The topics under which an event is published: its resource, and its name, each for the customer and for every agent concerned. */
export const topicsOf = ({ customerId, resource, id, type }: Subject, agentId: string | null): string[] => {
  const owners = [`customer_id:${customerId}`, ...(agentId === null ? [] : [`agent_id:${agentId}`])];
  return owners.flatMap((owner) => [`${owner}:${resource}:${id}`, `${owner}:${resource}:${type}:${id}`]);
};
