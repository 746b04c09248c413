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
  | { kind: 'rest'; until: Millis }
  | { kind: 'wait'; turnId: string }
  | { kind: 'failed'; code: string }
  | { kind: 'over'; code: string };

/** What comes after an action: the next one at once, or after a rest or an assistant's turn; or nothing. */
export type NextMove =
  | { kind: 'go' }
  | { kind: 'rest'; until: Millis }
  | { kind: 'wait'; turnId: string }
  | { kind: 'over' };

/** Where an activeflow stands after an action. */
export interface Progress {
  status: ActiveflowStatus;
  /** The action to run next, or the one that rests; the number of actions when there is none. */
  position: number;
  /** After a rest: the action that comes then. */
  resumeAt: number | null;
  next: NextMove;
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
  if (result.kind === 'over') return over('stopped', position, result.code);
  const following = followingOf(actions, position, result);
  if (result.kind === 'rest' || result.kind === 'wait') {
    return { status: 'running', position, resumeAt: following, next: result, error: '' };
  }
  return stepTo(actions, following, steps);
}

/** Onto an action, or past the last one. */
export function stepTo(actions: readonly Action[], position: number, steps: number): Progress {
  if (position >= actions.length) return over('ended', actions.length, '');
  if (steps >= MAX_STEPS) return over('failed', position, 'TOO_MANY_STEPS');
  return { status: 'running', position, resumeAt: null, next: { kind: 'go' }, error: '' };
}

function followingOf(actions: readonly Action[], position: number, result: ActionResult): number {
  const action = actions[position];
  if (action?.type === 'stop') return actions.length;
  const jump = action && result.kind === 'jump' ? jumpOf(actions, action) : null;
  return jump ?? position + 1;
}

const over = (status: ActiveflowStatus, position: number, error: string): Progress => ({
  status,
  position,
  resumeAt: null,
  next: { kind: 'over' },
  error,
});
