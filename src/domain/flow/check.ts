import { SECOND } from '../time.ts';
import type { Action } from './action.ts';
import { VARIABLE_NAMES } from './variables.ts';

/** What is wrong with a list of actions as a whole, under the name of the field; null when it can be run. */
export interface FlowProblem {
  field: string;
  problem: string;
}

/** A loop that rests for less would be a loop that never rests. */
const SHORTEST_REST_MS = SECOND;

export function problemOf(actions: readonly Action[]): FlowProblem | null {
  return sameId(actions) ?? lostJump(actions) ?? endlessLoop(actions) ?? unknownVariable(actions);
}

function sameId(actions: readonly Action[]): FlowProblem | null {
  const ids = actions.map((action) => action.id);
  const index = ids.findIndex((id, position) => ids.indexOf(id) < position);
  return index === -1 ? null : { field: `actions.${index}.id`, problem: 'is also the id of another action' };
}

function lostJump(actions: readonly Action[]): FlowProblem | null {
  const index = actions.findIndex((action) => action.type === 'branch' && jumpOf(actions, action) === null);
  return index === -1
    ? null
    : { field: `actions.${index}.option.goto`, problem: 'does not name an action of this flow' };
}

/** Where a branch leads, or null for an action that does not jump. */
export function jumpOf(actions: readonly Action[], action: Action): number | null {
  if (action.type !== 'branch') return null;
  const index = actions.findIndex(({ id }) => id === action.option.goto);
  return index === -1 ? null : index;
}

/** A branch on a variable that no flow has would never jump, and nobody would learn why. */
function unknownVariable(actions: readonly Action[]): FlowProblem | null {
  const index = actions.findIndex(
    (action) => action.type === 'branch' && !VARIABLE_NAMES.includes(action.option.variable),
  );
  if (index === -1) return null;
  const problem = `is not a variable of a flow; the variables are ${VARIABLE_NAMES.join(', ')}`;
  return { field: `actions.${index}.option.variable`, problem };
}

/** A way back to where one has been, without a rest on it. */
function endlessLoop(actions: readonly Action[]): FlowProblem | null {
  const checked = new Set<number>();
  const path: number[] = [];
  const visit = (position: number): number | null => {
    const action = actions[position];
    if (!action || checked.has(position) || rests(action)) return null;
    if (path.includes(position)) return path.at(-1) ?? position;
    path.push(position);
    const back = nextPositions(actions, position).reduce<number | null>((found, next) => found ?? visit(next), null);
    path.pop();
    checked.add(position);
    return back;
  };
  const start = actions.findIndex((_, position) => visit(position) !== null);
  if (start === -1) return null;
  const branch = actions.findIndex((action, position) => position >= start && action.type === 'branch');
  return {
    field: `actions.${branch === -1 ? start : branch}.option.goto`,
    problem: 'makes a loop without a sleep of at least one second',
  };
}

const rests = (action: Action): boolean => action.type === 'sleep' && action.option.duration >= SHORTEST_REST_MS;

const nextPositions = (actions: readonly Action[], position: number): number[] => {
  const action = actions[position];
  if (!action || action.type === 'stop') return [];
  const jump = jumpOf(actions, action);
  return jump === null ? [position + 1] : [position + 1, jump];
};
