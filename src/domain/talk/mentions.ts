import type { Participant } from './state.ts';

/** As many places as are looked at: a text of nothing but `@` is nobody's mention. */
const MOST = 100;

type Named = Pick<Participant, 'agentId' | 'name' | 'username'>;

/**
 * The participants that a text names: `@` and a user name, the part of it before its own `@`, or the displayed name, in any case.
 * Of several that fit at one place the longest counts; what two participants share names nobody.
 */
export function mentionsIn(text: string, participants: Iterable<Named>): string[] {
  if (!text.includes('@')) return [];
  const handles = handlesOf(participants);
  const lower = text.toLowerCase();
  const found = new Set<string>();
  let looked = 0;
  for (let at = lower.indexOf('@'); at !== -1 && looked < MOST; at = lower.indexOf('@', at + 1)) {
    looked += 1;
    const named = isInsideWord(lower, at) ? undefined : handles.find(([handle]) => startsHere(lower, handle, at + 1));
    if (named?.[1] !== undefined) found.add(named[1]);
  }
  return [...found];
}

/** Longest first, each with its agent; undefined where two share it. */
function handlesOf(participants: Iterable<Named>): [string, string | undefined][] {
  const handles = new Map<string, string | undefined>();
  for (const { agentId, name, username } of participants) {
    for (const handle of new Set([username, username.split('@')[0] ?? '', name].map((each) => each.toLowerCase()))) {
      if (handle !== '') handles.set(handle, handles.has(handle) ? undefined : agentId);
    }
  }
  return [...handles].toSorted(([a], [b]) => b.length - a.length);
}

/** An e-mail address in a text names nobody. */
const isInsideWord = (text: string, at: number): boolean => at > 0 && /[\p{L}\p{N}_]/u.test(text.charAt(at - 1));

const startsHere = (text: string, handle: string, at: number): boolean =>
  text.startsWith(handle, at) && !/^[\p{L}\p{N}_]/u.test(text.slice(at + handle.length, at + handle.length + 2));
