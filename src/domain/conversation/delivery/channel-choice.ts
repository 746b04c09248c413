import type { Link } from '../identity/bindings.ts';
import { findLink } from '../identity/bindings.ts';
import type { ConversationState, Segments } from '../state.ts';
import type { Micros } from '../../time.ts';
import { isWindowClosed } from './service-window.ts';

/** A way by which somebody could be written to: an account of the customer's that reaches one of its addresses. */
export interface Way {
  /** As it begins if it was never used; the conversation's own counts where it has one by that name. */
  link: Link;
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
  ways: Way[];
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
  way: Way | null;
  /** The others that would do, the best first. */
  spares: Way[];
  deliveryId: string;
}

/**
 * Seed 002's priority: the channel on which the participant was active last, what the content needs, the participant's preference,
 * availability. What cannot carry the message is out; of what can, the best goes.
 */
export const chooseWays = (state: ConversationState, recipients: Recipient[], wish: Wish, at: Micros): Chosen[] =>
  recipients.map((recipient) => chooseFor(state, recipient, wish, at));

function chooseFor(
  state: ConversationState,
  { participantId, deliveryId, ways }: Recipient,
  wish: Wish,
  at: Micros,
): Chosen {
  const preferred = state.participants.find(({ id }) => id === participantId)?.preferredChannel ?? '';
  const known = ways.map((way) => ({ ...way, link: findLink(state, way.link.addressName) ?? way.link }));
  const ranked = known.toSorted((a, b) => rank(b, preferred) - rank(a, preferred) || b.link.heardAt - a.link.heardAt);
  const judged = ranked.map((way) => ({ way, reason: reasonAgainst(state, way, wish, at) }));
  const best = judged.find(({ reason }) => reason === null)?.way ?? null;
  const rejected = judged
    .filter(({ way }) => way !== best)
    .map(({ way, reason }) => ({ ...placeOf(way), reason: reason ?? 'NOT_NEEDED', problem: problemOf(way, reason) }));
  const spares = judged.flatMap(({ way, reason }) => (reason === null && way !== best ? [way] : []));
  return { choice: { participantId, chosen: best && placeOf(best), rejected }, way: best, spares, deliveryId };
}

/** Those by which the participant has written come first, then what it likes, then what it can be reached by. */
function rank({ link }: Way, preferred: string): number {
  if (link.heardAt > 0) return 3;
  if (link.type === preferred) return 2;
  return link.reachable ? 1 : 0;
}

export function reasonAgainst(
  state: ConversationState,
  { link, obstacle }: Way,
  wish: Wish,
  at: Micros,
): Reason | null {
  if (wish.channel !== '' && link.type !== wish.channel) return 'OTHER_CHANNEL';
  if (obstacle) return 'CONTENT';
  if (link.optOut) return 'OPTED_OUT';
  return isWindowClosed({ ...state, window: link.window }, wish.isHuman, at) ? 'WINDOW_CLOSED' : null;
}

const placeOf = ({ link }: Way) => ({ channel: link.type, accountId: link.accountId, target: link.peer.target });

const problemOf = ({ obstacle }: Way, reason: Reason | null): string =>
  reason === 'CONTENT' && obstacle ? `${obstacle.field}: ${obstacle.problem}` : '';
