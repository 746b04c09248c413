import type { Address } from '../../addresses.ts';
import type { Micros } from '../../time.ts';
import type { Opening } from '../commands.ts';
import type { ConversationState } from '../state.ts';
import { neverOpened, type ServiceWindow } from '../delivery/service-window.ts';

/**
 * One way between us and one address of a contact: an account of ours, and what holds on it. A conversation has the one that its
 * contact used last at its top, where seed 000 shows it, and the others in `parked`.
 */
export interface ChannelBinding {
  /** The text that names the AddressObject of this pair of addresses (objects/stubs.ts). Empty on links of older versions. */
  addressName: string;
  accountId: string;
  /** `message` (SMS and MMS), `line`, …: the channel that seed 000 calls `type`. */
  type: string;
  dialogId: string;
  self: Address;
  peer: Address;
  /** The contact asked us to stop (spec section 9): nothing may be sent. Kept across conversations by the AddressObject. */
  optOut: boolean;
  /** Null on channels where free text may be sent at any time. */
  window: ServiceWindow | null;
  /** False if the contact blocked or left the account (LINE `unfollow`, `leave`). */
  reachable: boolean;
  /** When the contact last wrote by it; 0: never. */
  heardAt: Micros;
}

/** A way that nobody has used yet. */
export const newBinding = ({
  addressName,
  accountId,
  type,
  dialogId,
  self,
  peer,
  optOut,
  window,
}: Opening): ChannelBinding => ({
  addressName,
  accountId,
  type,
  dialogId,
  self,
  peer,
  optOut,
  window: window && (window.left ?? neverOpened(window.humanExtraMs)),
  reachable: true,
  heardAt: 0,
});

/** The one that the contact used last. */
export const activeBinding = (state: ConversationState): ChannelBinding => {
  const { addressName, accountId, type, dialogId, self, peer, optOut, window, reachable, heardAt } = state;
  return { addressName, accountId, type, dialogId, self, peer, optOut, window, reachable, heardAt };
};

/** All of them, the one used last first. */
export const bindingsOf = (state: ConversationState): ChannelBinding[] => [activeBinding(state), ...state.parked];

export const findBinding = (state: ConversationState, addressName: string): ChannelBinding | null =>
  bindingsOf(state).find((binding) => binding.addressName === addressName) ?? null;

/** The conversation with that link at its top, added if it is new; the same object when it is there already. */
export function activate(state: ConversationState, binding: ChannelBinding): ConversationState {
  if (state.addressName === binding.addressName) return state;
  // Of before links had names: it is the only one, and it learns its name.
  if (state.addressName === '') return { ...state, addressName: binding.addressName };
  const known = state.parked.find(({ addressName }) => addressName === binding.addressName);
  const parked = [activeBinding(state), ...state.parked.filter((other) => other !== known)];
  return { ...state, ...(known ?? binding), parked };
}

/** The conversation with a way that it may not have used yet, among the parked ones. */
export const withBinding = (state: ConversationState, binding: ChannelBinding): ConversationState =>
  findBinding(state, binding.addressName) ? state : { ...state, parked: [...state.parked, binding] };

/** The conversation without some of its ways; the last one stays, because a conversation has one. */
export function withoutBindings(
  state: ConversationState,
  isGone: (binding: ChannelBinding) => boolean,
): ConversationState {
  const [top, ...parked] = bindingsOf(state).filter((binding) => !isGone(binding));
  return top ? { ...state, ...top, parked } : { ...state, parked: [] };
}

/** The conversation with one link changed, wherever it stands; the same object when `change` gives the same link back. */
export function changeBinding(
  state: ConversationState,
  name: string,
  change: (binding: ChannelBinding) => ChannelBinding,
): ConversationState {
  const before = findBinding(state, name);
  const after = before && change(before);
  if (!after || after === before) return state;
  if (state.addressName === name) return { ...state, ...after };
  return { ...state, parked: state.parked.map((binding) => (binding.addressName === name ? after : binding)) };
}
