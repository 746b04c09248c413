import { and, desc, eq, gt, inArray, isNull, sql } from 'drizzle-orm';
import { dbOf } from './db.ts';
import { afterCursor, newestFirst, pageOf, type Page, type PageRequest } from './page.ts';
import { talkMessages, talkParticipants, talks } from './schema.ts';
import { readOwnJson } from '../domain/log-row.ts';
import type { TalkMessage, TalkState } from '../domain/talk/state.ts';
import type { Micros } from '../domain/time.ts';

/** A talk in a list: `unread` of who asked, at most 1,000. */
export interface ListedTalk {
  state: TalkState;
  unread: number;
}

/** Derived from the read position, never counted up and down: it cannot drift. */
const unreadOf = (agentId: string) => sql<number>`(
  SELECT count(*) FROM (
    SELECT 1 FROM ${talkMessages} AS unread
    WHERE unread.talk_id = ${talks.id} AND unread.sequence > ${talkParticipants.readSequence}
      AND unread.deleted = 0 AND unread.owner_id IS NOT NULL AND unread.owner_id <> ${agentId} LIMIT 1000
  ))`;

/** The talks that an agent is in, newest first, as D1 knows them: within a second of the objects. */
export async function listTalksOf(
  env: Env,
  customerId: string,
  agentId: string,
  request: PageRequest,
): Promise<Page<ListedTalk>> {
  const mine = and(eq(talkParticipants.talkId, talks.id), eq(talkParticipants.agentId, agentId));
  const living = and(eq(talks.customerId, customerId), isNull(talks.deletedAt), afterCursor(talks, request.cursor));
  const query = dbOf(env)
    .select({ id: talks.id, createdAt: talks.createdAt, data: talks.data, unread: unreadOf(agentId) })
    .from(talks)
    .innerJoin(talkParticipants, mine)
    .where(living);
  const page = pageOf(await query.orderBy(...newestFirst(talks)).limit(request.size + 1), request.size);
  return { ...page, rows: page.rows.map(({ data, unread }) => ({ state: readOwnJson<TalkState>(data), unread })) };
}

/** All channels of a customer, newest first, whoever is in them. */
export async function listChannels(
  env: Env,
  customerId: string,
  agentId: string,
  request: PageRequest,
): Promise<Page<ListedTalk>> {
  const mine = and(eq(talkParticipants.talkId, talks.id), eq(talkParticipants.agentId, agentId));
  const channel = and(eq(talks.customerId, customerId), eq(talks.type, 'channel'), isNull(talks.deletedAt));
  const query = dbOf(env)
    .select({ id: talks.id, createdAt: talks.createdAt, data: talks.data, unread: unreadOf(agentId) })
    .from(talks)
    .leftJoin(talkParticipants, mine)
    .where(and(channel, afterCursor(talks, request.cursor)));
  const page = pageOf(await query.orderBy(...newestFirst(talks)).limit(request.size + 1), request.size);
  return { ...page, rows: page.rows.map(({ data, unread }) => ({ state: readOwnJson<TalkState>(data), unread })) };
}

/** The messages of all talks that an agent is in, newest first. */
export async function listTalkMessagesOf(
  env: Env,
  customerId: string,
  agentId: string,
  request: PageRequest,
): Promise<Page<TalkMessage>> {
  const db = dbOf(env);
  const joined = db
    .select({ id: talkParticipants.talkId })
    .from(talkParticipants)
    .innerJoin(talks, and(eq(talks.id, talkParticipants.talkId), isNull(talks.deletedAt)))
    .where(eq(talkParticipants.agentId, agentId));
  const mine = and(eq(talkMessages.customerId, customerId), inArray(talkMessages.talkId, joined));
  const query = db
    .select()
    .from(talkMessages)
    .where(and(mine, afterCursor(talkMessages, request.cursor)));
  const page = pageOf(await query.orderBy(...newestFirst(talkMessages)).limit(request.size + 1), request.size);
  return { ...page, rows: page.rows.map((row) => readOwnJson<TalkMessage>(row.data)) };
}

/** The ids of those that anything happened to since then, the last ones first, for the cron's look at objects that may lag. */
export async function recentlyActiveTalks(env: Env, since: Micros, limit: number): Promise<string[]> {
  const query = dbOf(env).select({ id: talks.id }).from(talks).where(gt(talks.activeAt, since));
  return (await query.orderBy(desc(talks.activeAt)).limit(limit)).map((row) => row.id);
}
