import type { Millis } from '../time.ts';
import type { Action } from './action.ts';
import { jumpOf } from './check.ts';

export type ActiveflowStatus = 'running' | 'ended' | 'stopped' | 'failed';

/** An activeflow that has run so many actions is in a loop that nobody meant. */
export const MAX_STEPS = 1000;

/** How one action went. `failed`: it could not be done, and the flow goes on without it; `over`: the flow may not go on. */
export type ActionResult =
  | { kind: 'done' }
  | { kind: 'jump' }
  | { kind: 'rest'; ms: Millis }
  | { kind: 'wait'; turnId: string }
  | { kind: 'failed'; code: string }
  | { kind: 'over'; code: string };

/** Where an activeflow stands after an action. */
export interface Progress {
  status: ActiveflowStatus;
  /** The action to run next; the number of actions when there is none. */
  position: number;
  /** Why it did not end by itself; empty when it did. */
  error: string;
}

/** `steps`: how many actions have been run, this one included. */
export function progressAfter(
  actions: readonly Action[],
  position: number,
  result: ActionResult,
  steps: number,
): Progress {
  if (result.kind === 'over') return { status: 'stopped', position, error: result.code };
  const action = actions[position];
  const jump = action && result.kind === 'jump' ? jumpOf(actions, action) : null;
  const next = action?.type === 'stop' ? actions.length : (jump ?? position + 1);
  if (next >= actions.length) return { status: 'ended', position: actions.length, error: '' };
  if (steps >= MAX_STEPS) return { status: 'failed', position: next, error: 'TOO_MANY_STEPS' };
  return { status: 'running', position: next, error: '' };
}
