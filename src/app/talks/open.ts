import type { Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { OpenCommand } from '../../domain/talk/commands.ts';
import { callObject, getDirectory, getTalk } from '../../objects/stubs.ts';
import type { TalkView } from '../../objects/talk/commands.ts';

/** Makes a talk in the name of one of its members, or returns the 1:1 talk that two members have already. */
export async function openTalk(env: Env, command: OpenCommand, agentId: string): Promise<Result<TalkView, Refusal>> {
  const [self, partner] = command.members;
  if (command.type !== 'normal' || !self || !partner) return open(env, command, agentId);
  return openPair(env, command, agentId, [self.agentId, partner.agentId]);
}

const open = (env: Env, command: OpenCommand, agentId: string): Promise<Result<TalkView, Refusal>> =>
  callObject(() => getTalk(env, command.talkId).open(command, agentId));

const RACES = 5;

/** Of any number of requests at once, the first one's candidate becomes the talk. A deleted talk gives way to a new one. */
async function openPair(
  env: Env,
  command: OpenCommand,
  agentId: string,
  pair: [string, string],
): Promise<Result<TalkView, Refusal>> {
  const { customerId, talkId: candidate } = command;
  const directory = () => getDirectory(env, customerId);
  let talkId = await callObject(() => directory().claimTalk(customerId, pair, candidate));
  for (let race = 0; race < RACES; race += 1) {
    const opened = await open(env, { ...command, talkId }, agentId);
    if (opened.ok || opened.error.code !== 'TALK_NOT_FOUND') return opened;
    const next = race === 0 ? candidate : crypto.randomUUID();
    const lost = talkId;
    talkId = await callObject(() => directory().replaceTalk(pair, lost, next));
  }
  return err({ code: 'SERVICE_UNAVAILABLE' });
}

/**
 * The second participant makes a 1:1 talk that was opened without one the talk of the two (spec section 11). Refused with
 * TALK_PAIR_EXISTS when they have one already.
 */
export async function claimPair(
  env: Env,
  customerId: string,
  talkId: string,
  pair: [string, string],
): Promise<Result<null, Refusal>> {
  const directory = () => getDirectory(env, customerId);
  let holder = await callObject(() => directory().claimTalk(customerId, pair, talkId));
  if (holder !== talkId && (await getTalk(env, holder).isLostTo(pair))) {
    const lost = holder;
    holder = await callObject(() => directory().replaceTalk(pair, lost, talkId));
  }
  return holder === talkId ? ok(null) : err({ code: 'TALK_PAIR_EXISTS', talkId: holder });
}
