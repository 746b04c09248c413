import type { LogRow } from '../domain/events.ts';

/** One batch of one object's log. */
export interface ProjectedBatch {
  sourceId: string;
  customerId: string;
  rows: LogRow[];
  /** The webhook events of these rows (dialects/). */
  announcements: Announcement[];
}

export interface Announcement {
  /** The object whose log it is. */
  sourceId: string;
  dialect: string;
  eventId: string;
  type: string;
  sequence: number;
}

/** A row's facts differ only after an erasure removed some from the log. The row keeps its position, because readers are already past it. */
const INSERT_EVENTS = `
  INSERT INTO events (customer_id, source_id, sequence, type, message_id, facts, at)
  SELECT ?1, ?2, value ->> 'sequence', value ->> 'type', value ->> 'messageId', value ->> 'facts', value ->> 'at'
  FROM json_each(?3) WHERE true
  ON CONFLICT (source_id, sequence) DO UPDATE SET facts = excluded.facts WHERE excluded.facts <> events.facts`;

/**
 * Joins with the endpoints inside D1, so that no object has to know them and the current ones count.
 * ?4 is one endpoint, or null for all of the customer's endpoints.
 */
const INSERT_DELIVERIES = `
  INSERT INTO webhook_deliveries (id, customer_id, endpoint_id, event_id, event_type, source_id, sequence, status, attempts, next_attempt_ms, error, created_at, updated_at)
  SELECT (event.value ->> 'eventId') || '.' || endpoint.id, ?1, endpoint.id, event.value ->> 'eventId', event.value ->> 'type',
    event.value ->> 'sourceId', event.value ->> 'sequence', 'pending', 0, ?2, '', ?2 * 1000 + (event.value ->> 'sequence') % 1000, ?2 * 1000
  FROM json_each(?3) AS event JOIN webhook_endpoints AS endpoint ON endpoint.customer_id = ?1
    AND endpoint.status = 'enabled' AND endpoint.deleted_at IS NULL AND endpoint.dialect = event.value ->> 'dialect'
    AND (?4 IS NULL OR endpoint.id = ?4)
    AND (endpoint.event_types = '[]' OR EXISTS (SELECT 1 FROM json_each(endpoint.event_types) AS wanted WHERE wanted.value = event.value ->> 'type'))
  WHERE true
  ON CONFLICT (id) DO NOTHING`;

const DUE_DELIVERIES = `
  SELECT id FROM webhook_deliveries
  WHERE source_id = ?1 AND sequence BETWEEN ?2 AND ?3 AND status = 'pending' AND attempts = 0`;

/**
 * Writes one batch of a log to D1 in one transaction: history, lists (`subjects`: the writes for what the rows are about) and pending
 * webhook deliveries.
 * Idempotent; an older batch never overwrites a newer one.
 * @returns the ids of the webhook deliveries whose first attempt is due.
 */
export async function projectLog(
  db: D1Database,
  batch: ProjectedBatch,
  subjects: D1PreparedStatement[],
  nowMs: number,
): Promise<string[]> {
  const { customerId, sourceId, rows, announcements } = batch;
  const first = rows[0]?.sequence ?? 0;
  const last = rows.at(-1)?.sequence ?? 0;
  const results = await db.batch<{ id: string }>([
    db.prepare(INSERT_EVENTS).bind(customerId, sourceId, JSON.stringify(rows)),
    ...subjects,
    announceStatement(db, customerId, announcements, nowMs),
    db.prepare(DUE_DELIVERIES).bind(sourceId, first, last),
  ]);
  return (results.at(-1)?.results ?? []).map((row) => row.id);
}

/** Creates a pending delivery of each announcement for each subscribed endpoint, or for the given one. Idempotent. */
export const announceStatement = (
  db: D1Database,
  customerId: string,
  announcements: Announcement[],
  nowMs: number,
  endpointId: string | null = null,
): D1PreparedStatement =>
  db.prepare(INSERT_DELIVERIES).bind(customerId, nowMs, JSON.stringify(announcements), endpointId);
