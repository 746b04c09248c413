import {
  type ChannelOption,
  type Chosen,
  type FallbackOptions,
  type Recipient,
  type Wish,
  chooseChannels,
} from './channel-choice.ts';
import type { Choice, ConversationState, Delivery } from '../state.ts';
import type { SendCommand } from '../commands.ts';
import { fallbackOptionsOf } from './fallback.ts';
import { activate, changeBinding, withBinding } from '../identity/bindings.ts';
import { newDelivery } from '../new-message.ts';
import type { Refusal } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import type { Micros } from '../../time.ts';

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
