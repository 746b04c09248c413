import type { z } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import { ApiError, invalidField, valueOf } from '../../errors.ts';
import { idempotencyOf } from '../../once.ts';
import { actorIn, agentsOf, newcomer, selfOf } from './people.ts';
import type { newTalkSchema } from './schemas.ts';
import type { AddressKey } from '../../../domain/addresses.ts';
import type { OpenCommand } from '../../../domain/talk/commands.ts';
import { callObject, getAddress, getTalk } from '../../../objects/stubs.ts';
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

/** Where it is decided which talk is the one of two agents: the same kind of object that does it for addresses of contacts. */
const pairKey = (customerId: string, one: string, other: string): AddressKey => {
  const [ours = '', theirs = ''] = [one, other].toSorted();
  return { customerId, channel: 'talk', ours, theirs };
};

const RACES = 5;

/** Of any number who open it at once, the first one's candidate becomes the talk. A deleted talk gives way to a new one. */
async function openPair(c: AppContext, candidate: string, wanted: Wanted, [self, partner]: [Agent, Agent]) {
  const place = await getAddress(c.env, pairKey(self.customerId, self.id, partner.id));
  let { conversationId: talkId } = await place.resolve(candidate);
  for (let race = 0; race < RACES; race += 1) {
    const opened = await open(c, talkId, wanted, [self, partner]);
    if (opened.ok || opened.error.code !== 'TALK_NOT_FOUND') return valueOf(opened);
    ({ conversationId: talkId } = await place.advance(talkId, race === 0 ? candidate : crypto.randomUUID()));
  }
  throw new ApiError('SERVICE_UNAVAILABLE');
}

/**
 * The second participant makes a 1:1 talk that was opened without one the talk of the two (spec section 11).
 * @throws 409 that names the talk when they have one already.
 */
export async function claimPair(c: AppContext, talkId: string, one: string, other: string): Promise<void> {
  const place = await getAddress(c.env, pairKey(actorIn(c).customerId, one, other));
  let { conversationId: holder } = await place.resolve(talkId);
  if (holder !== talkId && (await getTalk(c.env, holder).isLostTo([one, other])))
    ({ conversationId: holder } = await place.advance(holder, talkId));
  if (holder !== talkId) throw new ApiError('TALK_PAIR_EXISTS', undefined, { talk_id: holder });
}
