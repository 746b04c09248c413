import type { ConversationState, Message } from '../domain/conversation/state.ts';
import type { LogRow } from '../domain/log-row.ts';
import type { Micros } from '../domain/time.ts';

/** One stretch of one object's log, with what it is about as it is now. */
export interface LogStretch {
  conversation: ConversationState;
  rows: LogRow[];
  messages: Message[];
  /** The webhook events that the rows stand for (dialects/). */
  announcements: Announcement[];
}

export interface Announcement {
  /** The log that it stands in. */
  sourceId: string;
  dialect: string;
  eventId: string;
  type: string;
  sequence: number;
}

const INSERT_EVENTS = `
  INSERT INTO events (customer_id, source_id, sequence, type, message_id, facts, at)
  SELECT ?1, ?2, value ->> 'sequence', value ->> 'type', value ->> 'messageId', value ->> 'facts', value ->> 'at'
  FROM json_each(?3) WHERE true
  ON CONFLICT (source_id, sequence) DO NOTHING`;

const UPSERT_MESSAGES = `
  INSERT INTO messages (conversation_id, id, customer_id, version, data, created_at)
  SELECT ?1, value ->> 'id', ?2, ?3, value ->> 'data', value ->> 'createdAt' FROM json_each(?4) WHERE true
  ON CONFLICT (conversation_id, id) DO UPDATE SET version = excluded.version, data = excluded.data
  WHERE excluded.version > messages.version`;

const UPSERT_CONVERSATION = `
  INSERT INTO conversations (id, customer_id, account_id, type, lifecycle, owner_id, peer_target, sequence, data, created_at, updated_at, deleted_at, active_at)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
  ON CONFLICT (id) DO UPDATE SET lifecycle = excluded.lifecycle, owner_id = excluded.owner_id, sequence = excluded.sequence,
    data = excluded.data, updated_at = excluded.updated_at, deleted_at = excluded.deleted_at,
    active_at = excluded.active_at, account_id = excluded.account_id
  WHERE excluded.sequence > conversations.sequence`;

/**
 * Joined with the endpoints inside D1: the endpoints as they are at this moment, and no list of them on the way of a message.
 * ?4 names the one endpoint that is meant, or is null for all of the customer's.
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
 * Brings D1 up to a stretch of a log: history, lists and pending webhook deliveries in one batch, all or nothing.
 * Repeating a stretch changes nothing, and an older one never overwrites a newer one.
 * @returns the ids of the webhook deliveries that wait for their first attempt.
 */
export async function projectLog(db: D1Database, stretch: LogStretch, nowMs: number): Promise<string[]> {
  const { conversation, rows, announcements } = stretch;
  const first = rows[0]?.sequence ?? 0;
  const last = rows.at(-1)?.sequence ?? 0;
  const { customerId, id } = conversation;
  const results = await db.batch<{ id: string }>([
    db.prepare(INSERT_EVENTS).bind(customerId, id, JSON.stringify(rows)),
    db.prepare(UPSERT_MESSAGES).bind(id, customerId, last, JSON.stringify(stretch.messages.map(messageRow))),
    conversationStatement(db, conversation, rows.at(-1)?.at ?? conversation.updatedAt),
    announceStatement(db, customerId, announcements, nowMs),
    db.prepare(DUE_DELIVERIES).bind(id, first, last),
  ]);
  return (results.at(-1)?.results ?? []).map((row) => row.id);
}

/** A pending delivery of each announcement to each endpoint that wants it, or to the one that is named. Repeating it adds nothing. */
export const announceStatement = (
  db: D1Database,
  customerId: string,
  announcements: Announcement[],
  nowMs: number,
  endpointId: string | null = null,
): D1PreparedStatement =>
  db.prepare(INSERT_DELIVERIES).bind(customerId, nowMs, JSON.stringify(announcements), endpointId);

const messageRow = (message: Message) => ({
  id: message.id,
  createdAt: message.createdAt,
  data: JSON.stringify(message),
});

const conversationStatement = (db: D1Database, state: ConversationState, activeAt: Micros) =>
  db
    .prepare(UPSERT_CONVERSATION)
    .bind(
      state.id,
      state.customerId,
      state.accountId,
      state.type,
      state.lifecycle,
      state.ownerId,
      state.peer.target,
      state.sequence,
      JSON.stringify(state),
      state.createdAt,
      state.updatedAt,
      state.deletedAt,
      activeAt,
    );
