import type { Actor } from '../../permissions.ts';
import type { Micros } from '../../time.ts';
import { isFencedOut } from '../decide-change.ts';
import { decideDeliveryNews } from '../decide-message.ts';
import type { NewConversationEvent } from '../events.ts';
import { findBinding, activeBinding, bindingsOf } from '../identity/bindings.ts';
import type { Send } from '../delivery/sends.ts';
import type { ConversationState, Message, ProviderError } from '../state.ts';

/** Whether a change of the conversation may forbid sends that it allowed before. An end is no takeover: what was accepted goes out. */
export const maySendLess = (before: ConversationState, after: ConversationState): boolean =>
  (before.modeEpoch !== after.modeEpoch && (after.lifecycle !== 'closed' || isAssigned(before, after))) ||
  bindingsOf(after).some((binding) => binding.optOut && !findBinding(before, binding.addressName)?.optOut);

const isAssigned = (before: ConversationState, after: ConversationState): boolean =>
  after.ownerId !== null && after.ownerId !== before.ownerId;

/** A send under way, and its message. */
export interface UnderWay {
  send: Send;
  message: Message;
}

/** What a change does to the sends that are under way. */
export interface WithdrawnSends {
  /** Those that wait for their turn, or for another attempt: they fail, visibly, in the commit that makes the change. */
  failed: UnderWay[];
  /** Those whose attempt cannot be called back: it is the last one. */
  lastTry: UnderWay[];
  /** What was said by whoever made the change, who has not been taken over by it: it goes out in the new epoch. */
  refenced: UnderWay[];
  events: NewConversationEvent[];
}

/** `by`: who made the change. */
export function withdrawSends(
  state: ConversationState,
  by: Actor | null,
  underWay: UnderWay[],
  at: Micros,
): WithdrawnSends {
  const isOwn = (each: UnderWay) =>
    !isOptedOut(state, each) && each.message.fence !== null && isAutomaton(by) && isBy(each.message, by);
  const own = underWay.filter(isOwn);
  const others = underWay.filter((each) => !own.includes(each));
  const forbidden = others.flatMap((each) => withdrawn(each, whyWithdrawn(state, each)));
  const refenced = own.map(({ send, message }) => ({ send, message: { ...message, fence: state.modeEpoch } }));
  return providerSignal(forbidden, refenced, at);
}

/** The same for messages that are there already, and may have to follow their reader by another way (fallback.ts). */
export const refencedOf = (state: ConversationState, by: Actor | null, messages: Message[]): Message[] =>
  messages
    .filter((message) => message.fence !== null && isAutomaton(by) && isBy(message, by))
    .map((message) => ({ ...message, fence: state.modeEpoch }));

/** What an activeflow has said is withdrawn when it is stopped. */
export function stopSends(activeflowId: string, underWay: UnderWay[], at: Micros): WithdrawnSends {
  const its = underWay.filter(({ message }) => isBy(message, { type: 'flow', id: activeflowId }));
  const error = { code: 'ACTIVEFLOW_STOPPED', text: 'the activeflow was stopped before it was sent' };
  return providerSignal(
    its.flatMap((each) => withdrawn(each, error)),
    [],
    at,
  );
}

function providerSignal(forbidden: UnderWay[], refenced: UnderWay[], at: Micros): WithdrawnSends {
  const lastTry = forbidden.filter(({ send }) => send.phase === 'claimed');
  const failed = forbidden.filter(({ send }) => send.phase !== 'claimed');
  const events = failed.flatMap(({ send: { deliveryId, withdrawn: error = null }, message }) =>
    decideDeliveryNews(message, deliveryId, { status: 'failed', error }, at),
  );
  return { failed, lastTry, refenced, events };
}

/** One key may serve an assistant and the inbox that takes over from it: of keys, what is fenced is withdrawn. */
const isAutomaton = (by: Actor | null): boolean => by?.type === 'flow' || by?.type === 'assistant';

const isBy = (message: Message, by: Actor | null): boolean =>
  by !== null && message.sender.type === by.type && message.sender.id === by.id;

const withdrawn = ({ send, message }: UnderWay, error: ProviderError | null): UnderWay[] =>
  error ? [{ send: { ...send, withdrawn: error }, message }] : [];

/** By the way that it goes: a contact that opted out of one may still be written to by another. */
function isOptedOut(state: ConversationState, { send, message }: UnderWay): boolean {
  const name = message.deliveries.find(({ id }) => id === send.deliveryId)?.addressName ?? '';
  return (findBinding(state, name) ?? activeBinding(state)).optOut;
}

function whyWithdrawn(state: ConversationState, each: UnderWay): ProviderError | null {
  const { fence } = each.message;
  if (isOptedOut(state, each)) return { code: 'CONTACT_OPTED_OUT', text: 'the contact opted out before it was sent' };
  return isFencedOut(state, fence)
    ? { code: 'MODE_CHANGED', text: 'the conversation was taken over before it was sent' }
    : null;
}
