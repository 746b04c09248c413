import { and, desc, eq, lt, or, type SQL } from 'drizzle-orm';
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core';
import type { Micros } from '../domain/time.ts';

/** Where a page starts: after the row with this time and, if several rows share it, this id. */
export interface Cursor {
  at: Micros;
  id: string | null;
}

export interface PageRequest {
  size: number;
  cursor: Cursor | null;
}

/** Newest first. `next` is null on the last page. */
export interface Page<T> {
  rows: T[];
  next: Cursor | null;
}

type Ordered = { createdAt: SQLiteColumn; id: SQLiteColumn };

export const newestFirst = (table: Ordered) => [desc(table.createdAt), desc(table.id)];

/** Rows strictly after the cursor. Ties on the time are broken by id, so that nothing is skipped or repeated. */
export function afterCursor(table: Ordered, cursor: Cursor | null): SQL | undefined {
  if (!cursor) return undefined;
  const older = lt(table.createdAt, cursor.at);
  return cursor.id === null ? older : or(older, and(eq(table.createdAt, cursor.at), lt(table.id, cursor.id)));
}

/** Cuts a page out of `size + 1` rows. The next cursor has an id only if rows on both sides of the border share a time (spec section 9). */
export function pageOf<T extends { createdAt: Micros; id: string }>(rows: T[], size: number): Page<T> {
  const last = rows[size - 1];
  const following = rows[size];
  if (!last || !following) return { rows, next: null };
  const tie = last.createdAt === following.createdAt;
  return { rows: rows.slice(0, size), next: { at: last.createdAt, id: tie ? last.id : null } };
}
