import type { Refusal } from '../../domain/errors.ts';
import type { ActionResult } from '../../domain/flow/progress.ts';

/** After these an activeflow has no business in its conversation any more; after any other it goes on without this action. */
const FINAL = new Set<Refusal['code']>([
  'MODE_CHANGED',
  'ACTIVEFLOW_STOPPED',
  'CONVERSATION_CLOSED',
  'CONVERSATION_NOT_FOUND',
]);

export const refused = ({ code }: Refusal): ActionResult => ({ kind: FINAL.has(code) ? 'over' : 'failed', code });
