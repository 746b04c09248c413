import { and, asc, eq, gt, gte, sql, type SQL } from 'drizzle-orm';
import { dbOf, type Statement } from './db.ts';
import { events, messages, talkMessages } from './schema.ts';
import { isEventType, readOwnJson } from '../domain/events.ts';
import { fromLogRow, readMessage } from '../domain/conversation/events.ts';
import type { StoredEvent } from '../domain/stored-event.ts';
import { isTalkEventType, fromLogRow as fromTalkLogRow } from '../domain/talk/events.ts';
import type { TalkMessage } from '../domain/talk/state.ts';
import type { Micros } from '../domain/time.ts';

type EventRow = typeof events.$inferSelect;

function toStored({ row, message }: { row: EventRow; message: string | null }): StoredEvent {
  const { position, sourceId, sequence, type, at } = row;
  const source = { position, sourceId };
  if (!isEventType(type)) return { ...source, kind: 'notice', type, sequence, at, data: readOwnJson(row.facts) };
  if (isTalkEventType(type)) {
    const content = message === null ? null : readOwnJson<TalkMessage>(message);
    return { ...source, kind: 'talk', event: fromTalkLogRow({ ...row, type }, content) };
  }
  const content = message === null ? null : readMessage(message);
  return { ...source, kind: 'conversation', event: fromLogRow({ ...row, type }, content) };
}

const withMessages = (env: Env, where: SQL | undefined) =>
  dbOf(env)
    .select({ row: events, message: sql<string | null>`coalesce(${messages.data}, ${talkMessages.data})` })
    .from(events)
    .leftJoin(messages, and(eq(messages.conversationId, events.sourceId), eq(messages.id, events.messageId)))
    .leftJoin(talkMessages, and(eq(talkMessages.talkId, events.sourceId), eq(talkMessages.id, events.messageId)))
    .where(where)
    .orderBy(asc(events.position));

/** One event with its current content. */
export async function findEvent(env: Env, sourceId: string, sequence: number): Promise<StoredEvent | null> {
  const found = (await withMessages(env, and(eq(events.sourceId, sourceId), eq(events.sequence, sequence))))[0];
  return found ? toStored(found) : null;
}

interface EventFilter {
  /** Leaves out earlier events. */
  since?: Micros;
  /** False for agents: this list would show them talks that they are not in. */
  withTalks: boolean;
}

/** A customer's events after a position, oldest first. */
export async function eventsAfter(
  env: Env,
  customerId: string,
  position: number,
  limit: number,
  { since = 0, withTalks }: EventFilter,
): Promise<StoredEvent[]> {
  const visible = withTalks ? undefined : sql`${events.type} NOT LIKE 'talk.%'`;
  const where = and(eq(events.customerId, customerId), gt(events.position, position), gte(events.at, since), visible);
  return (await withMessages(env, where).limit(limit)).map(toStored);
}

/** A notice about a webhook endpoint itself. */
export interface Notice {
  customerId: string;
  endpointId: string;
  sequence: number;
  type: string;
  data: Record<string, string>;
  at: Micros;
}

export const insertNotice = (env: Env, notice: Notice): Statement => {
  const { endpointId: sourceId, data, ...row } = notice;
  return dbOf(env)
    .insert(events)
    .values({ ...row, sourceId, messageId: null, facts: JSON.stringify(data) });
};
