import type { z } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import { ApiError, invalidField, valueOf } from '../../errors.ts';
import { idempotencyOf } from '../../once.ts';
import { actorIn, agentsOf, newcomer, selfOf } from './people.ts';
import type { newTalkSchema } from './schemas.ts';
import type { OpenCommand } from '../../../domain/talk/commands.ts';
import { callObject, getDirectory, getTalk } from '../../../objects/stubs.ts';
import type { TalkView } from '../../../objects/talk/commands.ts';
import { uuidFrom } from '../../../security/encoding.ts';
import type { Agent } from '../../../storage/agents.ts';

type Wanted = z.infer<typeof newTalkSchema>;

/** Makes a talk with the caller in it, or answers the 1:1 talk that the two have already. */
export async function openTalk(c: AppContext, wanted: Wanted): Promise<TalkView> {
  const members = [await selfOf(c), ...(await othersOf(c, wanted))];
  const [self, partner] = members;
  const talkId = await newTalkId(c);
  if (wanted.type !== 'normal' || !self || !partner) return valueOf(await open(c, talkId, wanted, members));
  if (members.length > 2) throw invalidField(fieldOf(wanted), 'a 1:1 talk has exactly two participants');
  return openPair(c, talkId, wanted, [self, partner]);
}

/** The same id for the same request under the same Idempotency-Key: however often it is repeated, wherever it broke off, it is one talk. */
async function newTalkId(c: AppContext): Promise<string> {
  const claim = await idempotencyOf(c);
  return claim
    ? uuidFrom(JSON.stringify(['talk', claim.customerId, claim.key, claim.fingerprint]))
    : crypto.randomUUID();
}

const fieldOf = (wanted: Wanted): string => (wanted.participants.length > 0 ? 'participants' : 'participant_ids');

async function othersOf(c: AppContext, wanted: Wanted): Promise<Agent[]> {
  const named = [...wanted.participants.map(({ owner_id }) => owner_id), ...wanted.participant_ids];
  const ids = [...new Set(named)].filter((id) => id !== actorIn(c).agentId);
  return agentsOf(c, ids, () => fieldOf(wanted));
}

function open(c: AppContext, talkId: string, wanted: Wanted, members: Agent[]) {
  const { customerId, agentId } = actorIn(c);
  const { type, name, detail } = wanted;
  const command: OpenCommand = { talkId, customerId, type, name, detail, members: members.map(newcomer) };
  return callObject(() => getTalk(c.env, talkId).open(command, agentId));
}

const RACES = 5;

/** Of any number of requests at once, the first one's candidate becomes the talk. A deleted talk gives way to a new one. */
async function openPair(c: AppContext, candidate: string, wanted: Wanted, [self, partner]: [Agent, Agent]) {
  const directory = () => getDirectory(c.env, self.customerId);
  const pair: [string, string] = [self.id, partner.id];
  let talkId = await callObject(() => directory().claimTalk(self.customerId, pair, candidate));
  for (let race = 0; race < RACES; race += 1) {
    const opened = await open(c, talkId, wanted, [self, partner]);
    if (opened.ok || opened.error.code !== 'TALK_NOT_FOUND') return valueOf(opened);
    const next = race === 0 ? candidate : crypto.randomUUID();
    const lost = talkId;
    talkId = await callObject(() => directory().replaceTalk(pair, lost, next));
  }
  throw new ApiError('SERVICE_UNAVAILABLE');
}

/**
 * The second participant makes a 1:1 talk that was opened without one the talk of the two (spec section 11).
 * @throws 409 that names the talk when they have one already.
 */
export async function claimPair(c: AppContext, talkId: string, one: string, other: string): Promise<void> {
  const { customerId } = actorIn(c);
  const directory = () => getDirectory(c.env, customerId);
  let holder = await callObject(() => directory().claimTalk(customerId, [one, other], talkId));
  if (holder !== talkId && (await getTalk(c.env, holder).isLostTo([one, other]))) {
    const lost = holder;
    holder = await callObject(() => directory().replaceTalk([one, other], lost, talkId));
  }
  if (holder !== talkId) throw new ApiError('TALK_PAIR_EXISTS', undefined, { talk_id: holder });
}
