import { findBinding, type ChannelBinding } from '../identity/bindings.ts';
import { holderOf, isReleased } from '../identity/participants.ts';
import type { Choice, ConversationState, Reason, Segments } from '../state.ts';
import type { Micros } from '../../time.ts';
import { isWindowClosed } from './service-window.ts';

/** An account of the customer's that reaches one of a participant's addresses, and what stands in the way of this message there. */
export interface ChannelOption {
  /** As it begins if it was never used. Where the conversation knows it, the conversation's own state counts. */
  binding: ChannelBinding;
  /** What the channel does not accept of this content, under the field's name; null when it accepts it. */
  obstacle: { field: string; problem: string } | null;
  segments: Segments | null;
  /** Whether the account wants the next option tried when a delivery fails for good. */
  fallsBack: boolean;
}

/** By delivery: the options that may be tried instead, the best first. */
export type FallbackOptions = Record<string, ChannelOption[]>;

/** One participant with all of its channel options. */
export interface Recipient {
  participantId: string;
  deliveryId: string;
  options: ChannelOption[];
}

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
