import type { Millis } from '../../time.ts';
import type { ContactAddress, ChannelBinding, Bound } from '../state.ts';
import { neverOpened, type ServiceWindow } from '../delivery/service-window.ts';

/** What a binding begins with. `window`: null where the channel has none; `left`: what an earlier conversation with the contact left of it. */
type NewBinding = Omit<ChannelBinding, 'window' | 'reachable' | 'heardAt'> & {
  window: { humanExtraMs: Millis; left: ServiceWindow | null } | null;
};

/** A binding that nobody has used yet. */
export const newBinding = ({
  addressName,
  accountId,
  type,
  dialogId,
  self,
  peer,
  optOut,
  window,
}: NewBinding): ChannelBinding => ({
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

/** The binding that the contact used last. */
export const activeBinding = (state: ChannelBinding): ChannelBinding => {
  const { addressName, accountId, type, dialogId, self, peer, optOut, window, reachable, heardAt } = state;
  return { addressName, accountId, type, dialogId, self, peer, optOut, window, reachable, heardAt };
};

/** All bindings, the one used last first. */
export const bindingsOf = (state: Bound): ChannelBinding[] => [activeBinding(state), ...state.inactiveBindings];

export const findBinding = (state: Bound, addressName: string): ChannelBinding | null =>
  bindingsOf(state).find((binding) => binding.addressName === addressName) ?? null;

/** Every binding that reaches an address: one for each account of ours that has been used with it, or may be. */
export const bindingsTo = (state: Bound, { type, target }: ContactAddress): ChannelBinding[] =>
  bindingsOf(state).filter(({ peer }) => peer.type === type && peer.target === target);

/** The conversation with this binding active, added if it is new; the same object when it is active already. */
export function activate<S extends Bound>(state: S, binding: ChannelBinding): S {
  if (state.addressName === binding.addressName) return state;
  // A binding without a name is the only one, and takes the name of the first that has one.
  if (state.addressName === '') return { ...state, addressName: binding.addressName };
  const known = state.inactiveBindings.find(({ addressName }) => addressName === binding.addressName);
  const inactiveBindings = [activeBinding(state), ...state.inactiveBindings.filter((other) => other !== known)];
  return { ...state, ...(known ?? binding), inactiveBindings };
}

/** The conversation with a binding that it may not have used yet, among the inactive ones. */
export const withBinding = <S extends Bound>(state: S, binding: ChannelBinding): S =>
  findBinding(state, binding.addressName)
    ? state
    : { ...state, inactiveBindings: [...state.inactiveBindings, binding] };

/** The conversation without some of its bindings; the active one stays if it is the last, because a conversation has one. */
export function withoutBindings<S extends Bound>(state: S, isGone: (binding: ChannelBinding) => boolean): S {
  const [active, ...inactiveBindings] = bindingsOf(state).filter((binding) => !isGone(binding));
  return active ? { ...state, ...active, inactiveBindings } : { ...state, inactiveBindings: [] };
}

/** The conversation with one binding changed, active or not; the same object when `change` gives the same binding back. */
export function changeBinding<S extends Bound>(
  state: S,
  name: string,
  change: (binding: ChannelBinding) => ChannelBinding,
): S {
  const before = findBinding(state, name);
  const after = before && change(before);
  if (!after || after === before) return state;
  if (state.addressName === name) return { ...state, ...after };
  const changed = state.inactiveBindings.map((binding) => (binding.addressName === name ? after : binding));
  return { ...state, inactiveBindings: changed };
}
