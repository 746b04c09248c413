import { drizzle } from 'drizzle-orm/d1';
import type { BatchItem } from 'drizzle-orm/batch';
import { and, eq, isNull, type Column } from 'drizzle-orm';

export const dbOf = (env: Env) => drizzle(env.DB);

export type Db = ReturnType<typeof dbOf>;

/** A write that has not run yet, for `db.batch`, which is D1's only kind of transaction. */
export type Statement = BatchItem<'sqlite'>;

/** Runs writes in one transaction. */
export async function runBatch(db: Db, statements: Statement[]): Promise<void> {
  const [first, ...rest] = statements;
  if (first) await db.batch([first, ...rest]);
}

/** Whether a write failed on the unique constraint of this column. D1 names the constraint only in the error text. */
export function isTaken(error: unknown, column: string): boolean {
  if (!(error instanceof Error)) return false;
  return error.message.includes(`UNIQUE constraint failed: ${column}`) || isTaken(error.cause, column);
}

interface OwnedTable {
  id: Column;
  customerId: Column;
  deletedAt: Column;
}

/** The row with this id, if it is the customer's and not deleted. */
export const isOwned = (table: OwnedTable, customerId: string, id: string) =>
  and(eq(table.id, id), eq(table.customerId, customerId), isNull(table.deletedAt));
