import type { z } from '@hono/zod-openapi';
import type { AppContext } from '../context.ts';
import { invalidField } from '../errors.ts';
import { checkedTarget } from './webhook-target.ts';
import type { Action, actionSchema } from '../../domain/flow/action.ts';
import { problemOf } from '../../domain/flow/check.ts';
import { expand } from '../../domain/flow/variables.ts';
import { findAgent } from '../../storage/agents.ts';
import { findAssistant } from '../../storage/assistants.ts';

/** Actions as a flow stores them: each with an id, every jump with a target, and nobody else's assistants and agents in them. */
export async function checkedActions(c: AppContext, wanted: z.infer<typeof actionSchema>[]): Promise<Action[]> {
  const actions: Action[] = wanted.map((action) => ({ ...action, id: action.id ?? crypto.randomUUID() }));
  const problem = problemOf(actions);
  if (problem) throw invalidField(problem.field, problem.problem);
  for (const [index, action] of actions.entries()) await checkReferences(c, action, `actions.${index}.option`);
  return actions;
}

async function checkReferences(c: AppContext, action: Action, field: string): Promise<void> {
  const { customerId } = c.get('principal');
  if (action.type === 'assistant_reply') {
    const known = await findAssistant(c.env, customerId, action.option.assistant_id);
    if (!known) throw invalidField(`${field}.assistant_id`, 'is not one of your assistants');
  } else if (action.type === 'assign') {
    const known = await findAgent(c.env, customerId, action.option.owner_id);
    if (!known) throw invalidField(`${field}.owner_id`, 'is not one of your agents');
  } else if (action.type === 'webhook_send') {
    // What its variables will hold is looked at before each request; a host that is none can be told now.
    checkedTarget(
      c.env,
      expand(action.option.uri, {}, () => 'x'),
      `${field}.uri`,
    );
  }
}
