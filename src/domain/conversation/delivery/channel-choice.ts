import type { ChannelBinding } from '../identity/bindings.ts';
import { findBinding } from '../identity/bindings.ts';
import type { ConversationState, Segments } from '../state.ts';
import type { Micros } from '../../time.ts';
import { isWindowClosed } from './service-window.ts';

/** A way by which somebody could be written to: an account of the customer's that reaches one of its addresses. */
export interface ChannelOption {
  /** As it begins if it was never used; the conversation's own counts where it has one by that name. */
  binding: ChannelBinding;
  /** What its channel does not take of this content, under the field's name; null when it takes it. */
  obstacle: { field: string; problem: string } | null;
  segments: Segments | null;
  /** Whether its account wants the next way tried when a delivery by it fails for good. */
  fallsBack: boolean;
}

/** One participant, and every way to it. */
export interface Recipient {
  participantId: string;
  deliveryId: string;
  options: ChannelOption[];
}

export type Reason =
  /** Another way was better. */
  | 'NOT_NEEDED'
  | 'CONTENT'
  | 'OPTED_OUT'
  | 'WINDOW_CLOSED'
  /** The sender wants another channel. */
  | 'OTHER_CHANNEL';

/** Why a message goes to a participant as it does. Stored with the message, and shown. */
export interface Choice {
  participantId: string;
  chosen: { channel: string; accountId: string; target: string } | null;
  rejected: { channel: string; accountId: string; target: string; reason: Reason; problem: string }[];
}

/** What is chosen among: the sender's wish (a conversation type, or empty), and whether a person writes. */
export interface Wish {
  channel: string;
  isHuman: boolean;
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
 * availability. What cannot carry the message is out; of what can, the best goes.
 */
export const chooseChannels = (state: ConversationState, recipients: Recipient[], wish: Wish, at: Micros): Chosen[] =>
  recipients.map((recipient) => chooseFor(state, recipient, wish, at));

function chooseFor(
  state: ConversationState,
  { participantId, deliveryId, options }: Recipient,
  wish: Wish,
  at: Micros,
): Chosen {
  const preferred = state.participants.find(({ id }) => id === participantId)?.preferredChannel ?? '';
  const known = options.map((option) => ({
    ...option,
    binding: findBinding(state, option.binding.addressName) ?? option.binding,
  }));
  const ranked = known.toSorted(
    (a, b) => rank(b, preferred) - rank(a, preferred) || b.binding.heardAt - a.binding.heardAt,
  );
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
  return {
    choice: { participantId, chosen: best && placeOf(best), rejected },
    option: best,
    fallbackOptions,
    deliveryId,
  };
}

/** Those by which the participant has written come first, then what it likes, then what it can be reached by. */
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
  return isWindowClosed({ ...state, window: binding.window }, wish.isHuman, at) ? 'WINDOW_CLOSED' : null;
}

const placeOf = ({ binding }: ChannelOption) => ({
  channel: binding.type,
  accountId: binding.accountId,
  target: binding.peer.target,
});

const problemOf = ({ obstacle }: ChannelOption, reason: Reason | null): string =>
  reason === 'CONTENT' && obstacle ? `${obstacle.field}: ${obstacle.problem}` : '';
