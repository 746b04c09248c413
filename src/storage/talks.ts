import { and, desc, eq, gt, isNull } from 'drizzle-orm';
import { dbOf } from './db.ts';
import { afterCursor, newestFirst, pageOf, type Page, type PageRequest } from './page.ts';
import { talkParticipants, talks } from './schema.ts';
import { readOwnJson } from '../domain/events.ts';
import type { TalkMessage, TalkState } from '../domain/talk/state.ts';
import type { Micros } from '../domain/time.ts';

/** A talk in a list. `unread`: how many messages the asking agent has not read, at most 1,000. */
export interface ListedTalk {
  state: TalkState;
  unread: number;
}

interface Row {
  id: string;
  createdAt: Micros;
  data: string;
  /** Null if the agent is not a participant. */
  readSequence: number | null;
}

/** Starts from the agent's participations instead of scanning all talks of the customer: `CROSS JOIN` makes SQLite keep this order. */
const TALKS_OF = `
  SELECT talk.id, talk.created_at AS createdAt, talk.data, participant.read_sequence AS readSequence
  FROM talk_participants AS participant
  CROSS JOIN talks AS talk ON talk.id = participant.talk_id AND talk.customer_id = ?1 AND talk.deleted_at IS NULL
  WHERE participant.agent_id = ?2 AND (talk.created_at < ?3 OR (talk.created_at = ?3 AND talk.id < ?4))
  ORDER BY talk.created_at DESC, talk.id DESC LIMIT ?5`;

/** The talks that an agent is in, newest first, from D1, which follows the objects within a second. */
export async function listTalksOf(
  env: Env,
  customerId: string,
  agentId: string,
  request: PageRequest,
): Promise<Page<ListedTalk>> {
  const { results } = await env.DB.prepare(TALKS_OF)
    .bind(customerId, agentId, ...pageParameters(request))
    .all<Row>();
  return withUnread(env, agentId, pageOf(results, request.size));
}

/** The bound parameters of a page: the time and id that it starts after, and its limit. */
function pageParameters({ size, cursor }: PageRequest): [number, string, number] {
  return [cursor?.at ?? Number.MAX_SAFE_INTEGER, cursor?.id ?? '', size + 1];
}

/** All channels of a customer, newest first, including those that the agent is not in. */
export async function listChannels(
  env: Env,
  customerId: string,
  agentId: string,
  request: PageRequest,
): Promise<Page<ListedTalk>> {
  const channel = and(eq(talks.customerId, customerId), eq(talks.type, 'channel'), isNull(talks.deletedAt));
  const where = and(channel, afterCursor(talks, request.cursor));
  const participation = and(eq(talkParticipants.talkId, talks.id), eq(talkParticipants.agentId, agentId));
  const { id, createdAt, data } = talks;
  const { readSequence } = talkParticipants;
  const query = dbOf(env).select({ id, createdAt, data, readSequence }).from(talks);
  const found = query.leftJoin(talkParticipants, participation).where(where);
  const rows = await found.orderBy(...newestFirst(talks)).limit(request.size + 1);
  return withUnread(env, agentId, pageOf(rows, request.size));
}

/** Computed from the read positions instead of a counter, so that it cannot drift. Runs for the rows of one page only. */
const UNREAD = `
  SELECT talk.value ->> 'id' AS id, (
    SELECT count(*) FROM (
      SELECT 1 FROM talk_messages WHERE talk_id = talk.value ->> 'id' AND sequence > talk.value ->> 'readSequence'
        AND deleted = 0 AND owner_id IS NOT NULL AND owner_id <> ?2 LIMIT 1000
    )
  ) AS unread
  FROM json_each(?1) AS talk`;

async function withUnread(env: Env, agentId: string, page: Page<Row>): Promise<Page<ListedTalk>> {
  const participating = page.rows.filter(({ readSequence }) => readSequence !== null);
  const positions = JSON.stringify(participating.map(({ id, readSequence }) => ({ id, readSequence })));
  const { results } = await env.DB.prepare(UNREAD).bind(positions, agentId).all<{ id: string; unread: number }>();
  const counts = new Map(results.map(({ id, unread }) => [id, unread]));
  const rows = page.rows.map(({ id, data }) => ({
    state: readOwnJson<TalkState>(data),
    unread: counts.get(id) ?? 0,
  }));
  return { ...page, rows };
}

/** Takes at most one page of messages from each of the agent's talks, then the newest of those: messages of other talks are not scanned. */
const MESSAGES_OF = `
  SELECT message.id, message.created_at AS createdAt, message.data
  FROM talk_participants AS participant
  CROSS JOIN talks AS talk ON talk.id = participant.talk_id AND talk.customer_id = ?1 AND talk.deleted_at IS NULL
  CROSS JOIN talk_messages AS message ON message.talk_id = talk.id AND message.id IN (
    SELECT id FROM talk_messages
    WHERE talk_id = talk.id AND (created_at < ?3 OR (created_at = ?3 AND id < ?4))
    ORDER BY created_at DESC, id DESC LIMIT ?5
  )
  WHERE participant.agent_id = ?2
  ORDER BY message.created_at DESC, message.id DESC LIMIT ?5`;

/** The messages of all talks that an agent is in, newest first. */
export async function listTalkMessagesOf(
  env: Env,
  customerId: string,
  agentId: string,
  request: PageRequest,
): Promise<Page<TalkMessage>> {
  const { results } = await env.DB.prepare(MESSAGES_OF)
    .bind(customerId, agentId, ...pageParameters(request))
    .all<{ id: string; createdAt: Micros; data: string }>();
  const page = pageOf(results, request.size);
  return { ...page, rows: page.rows.map(({ data }) => readOwnJson<TalkMessage>(data)) };
}

/** The ids of talks with activity since then, latest first, for the cron's backstop. */
export async function recentlyActiveTalks(env: Env, since: Micros, limit: number): Promise<string[]> {
  const query = dbOf(env).select({ id: talks.id }).from(talks).where(gt(talks.activeAt, since));
  return (await query.orderBy(desc(talks.activeAt)).limit(limit)).map((row) => row.id);
}
