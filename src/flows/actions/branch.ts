import type { ActionContext } from '../context.ts';
import type { ActionOf } from '../../domain/flow/action.ts';
import type { ActionResult } from '../../domain/flow/progress.ts';
import { expand, valueOf } from '../../domain/flow/variables.ts';

/** Jumps if the variable equals the text, ignoring whitespace at both ends. */
export function branch({ variables }: ActionContext, { option }: ActionOf<'branch'>): ActionResult {
  const isEqual = valueOf(variables, option.variable).trim() === expand(option.equals, variables).trim();
  return { kind: isEqual ? 'jump' : 'done' };
}
