import { readsFromLog, newDelivery } from '../decide-message.ts';
import type { Recipient, SendCommand } from '../commands.ts';
import { findBinding, activate, changeBinding, withBinding } from '../identity/bindings.ts';
import { holderOf, isReleased } from '../identity/participants.ts';
import type { ChannelOption, Choice, ConversationState, Reason, Delivery, FallbackOptions } from '../state.ts';
import type { Micros } from '../../time.ts';
import { isWindowClosed } from './service-window.ts';
import type { Refusal } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';

/** What of a message the choice depends on, beside its content. */
export interface Wish {
  /** The conversation type that the sender wants, or empty. */
  channel: string;
  /** A person writes, who may do so for longer on some channels. */
  isHuman: boolean;
  /** A template may be sent at any time. */
  isTemplate: boolean;
}

export interface Chosen {
  choice: Choice;
  option: ChannelOption | null;
  /** The others that would do, the best first. */
  fallbackOptions: ChannelOption[];
  deliveryId: string;
}

/**
 * Seed 002's priority: the channel on which the participant was active last, what the content needs, the participant's preference,
 * availability. Options that cannot carry the message are rejected, and the best of the others is chosen.
 */
export const chooseChannels = (state: ConversationState, recipients: Recipient[], wish: Wish, at: Micros): Chosen[] =>
  recipients.map((recipient) => chooseFor(state, recipient, wish, at));

function chooseFor(state: ConversationState, recipient: Recipient, wish: Wish, at: Micros): Chosen {
  const { deliveryId } = recipient;
  const participant = participantOf(state, recipient);
  const preferred = participant?.preferredChannel ?? '';
  const ranked = recipient.options
    // Whoever has left since the options were looked up is not written to.
    .filter(({ binding }) => !isReleased(state, binding.peer))
    .map((option) => asKnown(state, option))
    .toSorted((a, b) => rank(b, preferred) - rank(a, preferred) || b.binding.heardAt - a.binding.heardAt);
  const judged = ranked.map((option) => ({ option, reason: reasonAgainst(state, option, wish, at) }));
  const best = judged.find(({ reason }) => reason === null)?.option ?? null;
  const rejected = judged
    .filter(({ option }) => option !== best)
    .map(({ option, reason }) => ({
      ...placeOf(option),
      reason: reason ?? 'NOT_NEEDED',
      problem: problemOf(option, reason),
    }));
  const fallbackOptions = judged.flatMap(({ option, reason }) => (reason === null && option !== best ? [option] : []));
  const participantId = participant?.id ?? recipient.participantId;
  return {
    choice: { participantId, chosen: best && placeOf(best), rejected },
    option: best,
    fallbackOptions,
    deliveryId,
  };
}

/** A sender that names a contact does not know the participant's id: the address tells who it is. */
function participantOf(state: ConversationState, { participantId, options: [first] }: Recipient) {
  const known = state.participants.find(({ id }) => id === participantId);
  return known ?? (first ? holderOf(state, first.binding.peer) : null);
}

/** The option with what the conversation knows of it now. The account is the one that was looked up: a number may have moved to it. */
export function asKnown(state: ConversationState, option: ChannelOption): ChannelOption {
  const known = findBinding(state, option.binding.addressName);
  return known ? { ...option, binding: { ...known, accountId: option.binding.accountId } } : option;
}

/** Those by which the participant has written come first, then its preference, then whatever reaches it. */
function rank({ binding }: ChannelOption, preferred: string): number {
  if (binding.heardAt > 0) return 3;
  if (binding.type === preferred) return 2;
  return binding.reachable ? 1 : 0;
}

export function reasonAgainst(
  state: ConversationState,
  { binding, obstacle }: ChannelOption,
  wish: Wish,
  at: Micros,
): Reason | null {
  if (wish.channel !== '' && binding.type !== wish.channel) return 'OTHER_CHANNEL';
  if (obstacle) return 'CONTENT';
  if (binding.optOut) return 'OPTED_OUT';
  if (wish.isTemplate) return null;
  return isWindowClosed({ ...state, window: binding.window }, wish.isHuman, at) ? 'WINDOW_CLOSED' : null;
}

const placeOf = ({ binding }: ChannelOption) => ({
  channel: binding.type,
  accountId: binding.accountId,
  target: binding.peer.target,
});

const problemOf = ({ obstacle }: ChannelOption, reason: Reason | null): string =>
  reason === 'CONTENT' && obstacle ? `${obstacle.field}: ${obstacle.problem}` : '';

/**
 * What may follow a delivery by that option: anything where its account asks for it, and e-mail where a visitor of the web chat may
 * have left the page (spec section 11).
 */
export function fallbackOptionsOf(option: ChannelOption, others: ChannelOption[]): ChannelOption[] {
  if (readsFromLog(option.binding.type)) return others.filter(({ binding }) => binding.type === 'email');
  return option.fallsBack ? others : [];
}

/** How a message goes out. */
export interface Route {
  /** The conversation with the bindings that are used from now on; that of the first delivery is the active one. */
  seen: ConversationState;
  deliveries: Delivery[];
  routing: Choice[];
  fallbackOptions: FallbackOptions;
}

/** By the best option of each participant. Who cannot be reached is named in the routing, as long as somebody can be. */
export function routeOf(state: ConversationState, send: SendCommand, at: Micros): Result<Route, Refusal> {
  const chosen = chooseChannels(state, send.recipients, wishOf(send), at);
  const going = chosen.flatMap(({ option, deliveryId, fallbackOptions }) =>
    option ? [{ option, deliveryId, fallbackOptions }] : [],
  );
  const [first] = going;
  if (!first) return err(refusalOf(chosen, send.recipients));
  const known = going.reduce((latest, { option }) => used(latest, option), state);
  return ok({
    seen: activate(known, first.option.binding),
    deliveries: going.map(({ option, deliveryId }) =>
      newDelivery(activate(known, option.binding), deliveryId, option.segments, at),
    ),
    routing: chosen.map(({ choice }) => choice),
    fallbackOptions: Object.fromEntries(
      going.map(({ option, deliveryId, fallbackOptions }) => [deliveryId, fallbackOptionsOf(option, fallbackOptions)]),
    ),
  });
}

export const wishOf = ({ channel, actor, template }: Pick<SendCommand, 'channel' | 'actor' | 'template'>): Wish => ({
  channel,
  isHuman: actor.type === 'agent',
  isTemplate: template !== null,
});

/** The conversation with that binding, through the account that has our address now. The same object when nothing of it is new. */
function used(state: ConversationState, { binding }: ChannelOption): ConversationState {
  const { accountId } = binding;
  return changeBinding(withBinding(state, binding), binding.addressName, (known) =>
    known.accountId === accountId ? known : { ...known, accountId },
  );
}

/** Why the best option of all was rejected, the sender's own wish for another channel aside. */
function refusalOf(chosen: Chosen[], recipients: Recipient[]): Refusal {
  const rejected = chosen.flatMap(({ choice }) => choice.rejected).filter(({ reason }) => reason !== 'OTHER_CHANNEL');
  const reason = rejected[0]?.reason;
  if (reason === 'OPTED_OUT') return { code: 'CONTACT_OPTED_OUT' };
  if (reason === 'WINDOW_CLOSED') return { code: 'WINDOW_CLOSED' };
  const obstacle = reason === 'CONTENT' ? firstObstacle(recipients) : null;
  return obstacle ? { code: 'INVALID_FIELD', ...obstacle } : { code: 'NO_CHANNEL_AVAILABLE' };
}

const firstObstacle = (recipients: Recipient[]): ChannelOption['obstacle'] =>
  recipients.flatMap(({ options }) => options).find(({ obstacle }) => obstacle !== null)?.obstacle ?? null;

/** What is wrong with a content that none of the options accepts, whatever the conversation's state is; null when one of them does. */
export const obstacleToAll = (recipients: Recipient[]): ChannelOption['obstacle'] =>
  recipients.every(({ options }) => options.every(({ obstacle }) => obstacle !== null))
    ? firstObstacle(recipients)
    : null;
