/** What a log line may contain: names, ids, counts and codes. Never message text, an address or a secret. */
type Fact = string | number | boolean | null;

/** Writes one line of JSON, for Workers Logs. */
export function log(level: 'info' | 'warn' | 'error', what: string, facts: Record<string, Fact> = {}): void {
  console[level](JSON.stringify({ what, ...facts }));
}

/** The name of an error without its message, because messages of the runtime and of SQL may quote data. */
export const errorName = (error: unknown): string => (error instanceof Error ? error.name : typeof error);
