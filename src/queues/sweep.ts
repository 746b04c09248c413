import { resumeErasure } from '../app/contacts/erase.ts';
import { wakeFlows } from '../flows/wake.ts';
import { enqueue } from './jobs.ts';
import { DAY, microsOf, MINUTE } from '../domain/time.ts';
import { errorName, log } from '../log.ts';
import { getConversation, getTalk } from '../objects/stubs.ts';
import { recentlyActive } from '../storage/conversations.ts';
import { dbOf, runBatch } from '../storage/db.ts';
import { openErasures } from '../storage/erasures.ts';
import { dropExpiredKeys } from '../storage/idempotency.ts';
import { dropOldFailures } from '../storage/login-failures.ts';
import { recentlyActiveTalks } from '../storage/talks.ts';
import { dropExpiredTickets } from '../storage/tickets.ts';
import { dropOldDeliveries, overdueDeliveries } from '../storage/webhook-deliveries.ts';

/** Stays below the 1,000 subrequests of one invocation, and allows 500 deliveries a minute. */
const OVERDUE_LIMIT = 500;
const BACKSTOP_LIMIT = 50;
/** Successful deliveries are one row per event and endpoint, in a database of 10 GB. */
const DELIVERIES_KEPT_MS = 30 * DAY;
const DELETE_LIMIT = 1000;
const RECENT_MS = 10 * MINUTE;
/** A request may still be working on an erasure for this long. */
const ERASURE_GRACE_MS = 2 * MINUTE;
const ERASURE_LIMIT = 5;

/** Runs every minute: requeues what queues lost or could not delay long enough, wakes objects that may lag, and deletes expired rows. */
export async function sweep(env: Env, now: number): Promise<void> {
  await Promise.all([
    logged('overdue webhooks', requeueOverdue(env, now)),
    logged('old deliveries', dropOldDeliveries(env, now - DELIVERIES_KEPT_MS, DELETE_LIMIT)),
    logged('lagging objects', runBackstop(env, now)),
    logged('overdue activeflows', wakeFlows(env, now)),
    logged('erasures', resumeErasures(env, now)),
    logged(
      'expired rows',
      runBatch(dbOf(env), [dropExpiredKeys(env, now), dropExpiredTickets(env, now), dropOldFailures(env, now)]),
    ),
  ]);
}

/** One failing task must not stop the others. */
async function logged(what: string, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    log('error', 'sweep failed', { task: what, error: errorName(error) });
  }
}

async function requeueOverdue(env: Env, now: number): Promise<void> {
  const ids = await overdueDeliveries(env, now, OVERDUE_LIMIT);
  await enqueue(
    env.WEBHOOKS,
    ids.map((id) => ({ v: 1, webhookDeliveryId: id })),
  );
}

/** Restarts interrupted erasures; every step is idempotent. One that fails again must not stop the next. */
async function resumeErasures(env: Env, now: number): Promise<void> {
  const open = await openErasures(env, microsOf(now - ERASURE_GRACE_MS), ERASURE_LIMIT);
  for (const erasure of open) await logged('erasure', resumeErasure(env, erasure));
}

/** An object's own alarm runs its drains. This is the backstop for a lost alarm, for the objects that changed last. */
async function runBackstop(env: Env, now: number): Promise<void> {
  const since = microsOf(now - RECENT_MS);
  const [conversations, talks] = await Promise.all([
    recentlyActive(env, since, BACKSTOP_LIMIT),
    recentlyActiveTalks(env, since, BACKSTOP_LIMIT),
  ]);
  await Promise.all([
    ...conversations.map((id) => getConversation(env, id).backstop()),
    ...talks.map((id) => getTalk(env, id).backstop()),
  ]);
}
