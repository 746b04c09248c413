/** What may stand in a log line: names, ids, counts and codes. Never a text of a message, an address or a secret. */
type Fact = string | number | boolean | null;

/** One line of JSON per notice, for Workers Logs. */
export function log(level: 'info' | 'warn' | 'error', what: string, facts: Record<string, Fact> = {}): void {
  console[level](JSON.stringify({ what, ...facts }));
}

/** The name of a failure without its message: messages of the runtime and of SQL may quote data. */
export const errorName = (error: unknown): string => (error instanceof Error ? error.name : typeof error);
