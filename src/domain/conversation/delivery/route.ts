import { chooseChannels, type Choice, type Chosen, type Recipient, type ChannelOption } from './channel-choice.ts';
import type { Opening, SendCommand } from '../commands.ts';
import { knownFallbackOptions, fallbackOptionsOf, type FallbackOptions } from './fallback.ts';
import { activate, newBinding, withBinding } from '../identity/bindings.ts';
import { newDelivery } from '../new-message.ts';
import { isReleased } from '../identity/membership.ts';
import type { ConversationState, Delivery } from '../state.ts';
import { isWindowClosed } from './service-window.ts';
import type { Refusal } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import type { Micros } from '../../time.ts';

/** How a message goes out. */
export interface Route {
  /** The conversation with the first of its ways at the top, and with those that are new to it. */
  seen: ConversationState;
  deliveries: Delivery[];
  routing: Choice[];
  fallbackOptions: FallbackOptions;
}

type Send = Pick<SendCommand, 'actor' | 'template' | 'first' | 'recipients' | 'channel' | 'deliveryId' | 'segments'>;

export const routeOf = (state: ConversationState, send: Send, at: Micros): Result<Route, Refusal> =>
  send.recipients ? chosenRoute(state, send.recipients, send, at) : namedRoute(state, send, at);

/** By the one way that is meant. */
function namedRoute(state: ConversationState, send: Send, at: Micros): Result<Route, Refusal> {
  const seen = through(state, send.first);
  if (isReleased(seen, seen.peer)) return err({ code: 'NO_CHANNEL_AVAILABLE' });
  if (seen.optOut) return err({ code: 'CONTACT_OPTED_OUT' });
  if (send.template === null && isWindowClosed(seen, isHuman(send), at)) return err({ code: 'WINDOW_CLOSED' });
  const deliveries = [newDelivery(seen, send.deliveryId, send.segments, at)];
  return ok({ seen, deliveries, routing: [], fallbackOptions: { [send.deliveryId]: knownFallbackOptions(seen) } });
}

const isHuman = ({ actor }: Send): boolean => actor.type === 'agent';

/**
 * The conversation with the way at its top that the sender asked for: a pair of addresses, and the account that has ours now.
 * The same object when that is there already.
 */
function through(state: ConversationState, wanted: Opening | undefined): ConversationState {
  if (!wanted) return state;
  const seen = activate(state, newBinding(wanted));
  return seen.accountId === wanted.accountId ? seen : { ...seen, accountId: wanted.accountId };
}

/** By the best way to each participant; who cannot be reached is said in the routing, as long as somebody can. */
function chosenRoute(
  state: ConversationState,
  recipients: Recipient[],
  send: Send,
  at: Micros,
): Result<Route, Refusal> {
  const chosen = chooseChannels(state, recipients, { channel: send.channel, isHuman: isHuman(send) }, at);
  const going = chosen.flatMap(({ option, deliveryId }) => (option ? [{ option, deliveryId }] : []));
  const [first] = going;
  if (!first) return err(refusalOf(chosen, recipients));
  const known = going.reduce((latest, { option }) => withBinding(latest, option.binding), state);
  const deliveries = going.map(({ option, deliveryId }) =>
    newDelivery(activate(known, option.binding), deliveryId, option.segments, at),
  );
  const fallbackOptions = Object.fromEntries(
    chosen.map(({ option, fallbackOptions: others, deliveryId }) => [
      deliveryId,
      option ? fallbackOptionsOf(option, others) : [],
    ]),
  );
  return ok({
    seen: activate(known, first.option.binding),
    deliveries,
    routing: chosen.map(({ choice }) => choice),
    fallbackOptions,
  });
}

/** What stands in the way of the best way of all: the first that was rejected for more than the sender's wish. */
function refusalOf(chosen: Chosen[], recipients: Recipient[]): Refusal {
  const rejected = chosen.flatMap(({ choice }) => choice.rejected).filter(({ reason }) => reason !== 'OTHER_CHANNEL');
  const reason = rejected[0]?.reason;
  if (reason === 'OPTED_OUT') return { code: 'CONTACT_OPTED_OUT' };
  if (reason === 'WINDOW_CLOSED') return { code: 'WINDOW_CLOSED' };
  const obstacle = reason === 'CONTENT' ? obstacleIn(recipients.flatMap(({ options }) => options)) : null;
  return obstacle ? { code: 'INVALID_FIELD', ...obstacle } : { code: 'NO_CHANNEL_AVAILABLE' };
}

const obstacleIn = (options: ChannelOption[]): ChannelOption['obstacle'] =>
  options.find(({ obstacle }) => obstacle !== null)?.obstacle ?? null;
