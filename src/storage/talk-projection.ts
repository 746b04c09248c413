import { projectLog, type Announcement } from './projection.ts';
import type { LogRow } from '../domain/events.ts';
import type { Participant, Talk } from '../domain/talk/state.ts';

/** One batch of a talk's log, with the current state of its subjects. */
export interface TalkBatch {
  talk: Talk;
  rows: LogRow[];
  /** The current messages that the rows are about, as a JSON array. */
  messages: string;
  /** The participants whose read position D1 does not have. */
  reads: Participant[];
  announcements: Announcement[];
}

const UPSERT_MESSAGES = `
  INSERT INTO talk_messages (talk_id, id, customer_id, version, sequence, owner_id, deleted, data, created_at)
  SELECT ?1, value ->> 'id', ?2, ?3, value ->> 'sequence', value ->> 'ownerId', value ->> 'deletedAt' IS NOT NULL, value, value ->> 'createdAt'
  FROM json_each(?4) WHERE true
  ON CONFLICT (talk_id, id) DO UPDATE SET version = excluded.version, deleted = excluded.deleted, data = excluded.data
  WHERE excluded.version > talk_messages.version`;

const UPSERT_TALK = `
  INSERT INTO talks (id, customer_id, type, sequence, data, created_at, updated_at, deleted_at, active_at)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
  ON CONFLICT (id) DO UPDATE SET sequence = excluded.sequence, data = excluded.data, updated_at = excluded.updated_at,
    deleted_at = excluded.deleted_at, active_at = excluded.active_at
  WHERE excluded.sequence > talks.sequence`;

/** Participants are guarded by the talk's own row: a late batch finds a newer sequence there and does nothing. */
const IS_NEWEST = `(SELECT sequence FROM talks WHERE id = ?1) = ?2`;

const DROP_PARTICIPANTS = `
  DELETE FROM talk_participants WHERE talk_id = ?1 AND ${IS_NEWEST}
    AND agent_id NOT IN (SELECT value ->> 'agentId' FROM json_each(?3))`;

const UPSERT_PARTICIPANTS = `
  INSERT INTO talk_participants (talk_id, agent_id, read_sequence)
  SELECT ?1, value ->> 'agentId', value ->> 'readSequence' FROM json_each(?3) WHERE ${IS_NEWEST}
  ON CONFLICT (talk_id, agent_id) DO UPDATE SET read_sequence = excluded.read_sequence
  WHERE excluded.read_sequence > talk_participants.read_sequence`;

/** @returns the ids of the webhook deliveries whose first attempt is due. */
export function projectTalk(db: D1Database, batch: TalkBatch, nowMs: number): Promise<string[]> {
  const { talk, messages, rows, announcements } = batch;
  const { id, customerId } = talk.state;
  const subjects = [
    db.prepare(UPSERT_MESSAGES).bind(id, customerId, rows.at(-1)?.sequence ?? 0, messages),
    talkStatement(db, batch),
    ...participantStatements(db, batch),
  ];
  return projectLog(db, { sourceId: id, customerId, rows, announcements }, subjects, nowMs);
}

function participantStatements(db: D1Database, { talk, rows, reads }: TalkBatch): D1PreparedStatement[] {
  const { id, sequence } = talk.state;
  const moved = rows.some(({ type }) => type.startsWith('talk.participant_'));
  const written = JSON.stringify((moved ? [...talk.participants.values()] : reads).map(participantRow));
  const upsert = db.prepare(UPSERT_PARTICIPANTS).bind(id, sequence, written);
  if (moved) return [db.prepare(DROP_PARTICIPANTS).bind(id, sequence, written), upsert];
  return reads.length === 0 ? [] : [upsert];
}

const participantRow = ({ agentId, readSequence }: Participant) => ({ agentId, readSequence });

function talkStatement(db: D1Database, { talk: { state }, rows }: TalkBatch): D1PreparedStatement {
  const { id, customerId, type, sequence, createdAt, updatedAt, deletedAt } = state;
  const activeAt = rows.at(-1)?.at ?? state.lastMessageAt ?? updatedAt;
  return db
    .prepare(UPSERT_TALK)
    .bind(id, customerId, type, sequence, JSON.stringify(state), createdAt, updatedAt, deletedAt, activeAt);
}
