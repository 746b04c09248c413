import { describe, expect, test } from 'vitest';
import { aConversation, anInbound, anOpening, aPerson, aRecipient, aSend, NOW } from './support.ts';
import { address } from '../../../src/domain/addresses.ts';
import type { NewConversationEvent } from '../../../src/domain/conversation/events.ts';
import { decideReceive, openConversation } from '../../../src/domain/conversation/decide-inbound.ts';
import { decideSend } from '../../../src/domain/conversation/decide-send.ts';
import { activeBinding } from '../../../src/domain/conversation/identity/bindings.ts';
import { decideAdd, decideRemove } from '../../../src/domain/conversation/identity/decide-membership.ts';
import {
  holderOf,
  isReleased,
  peopleOf,
  withPeople,
  claimedAddress,
} from '../../../src/domain/conversation/identity/participants.ts';
import type { ConversationState } from '../../../src/domain/conversation/state.ts';
import type { Refusal } from '../../../src/domain/errors.ts';
import type { Result } from '../../../src/domain/result.ts';

const [ADA, BOB, EVE] = ['+15559876543', '+15550000002', '+15550000003'] as const;
const tel = (target: string) => ({ type: 'tel' as const, target });
const person = (id: string, ...targets: string[]) => ({ ...aPerson(...targets), id });

function after(state: ConversationState, decided: Result<NewConversationEvent[], Refusal>): ConversationState {
  const [event] = decided.ok ? decided.value : [];
  return event && 'conversation' in event ? event.conversation : state;
}

const held = (state: ConversationState) =>
  peopleOf(state).map(({ id, addresses }) => [id, addresses.map(({ target }) => target)]);

describe('participants', () => {
  test('join with their addresses, and who is here already gets the others', () => {
    const state = aConversation();
    const joined = after(state, decideAdd(state, person('bob', BOB), NOW + 1));
    expect(held(joined)).toEqual([
      [aPerson().id, [ADA]],
      ['bob', [BOB]],
    ]);
    const wider = after(joined, decideAdd(joined, person('another id', ADA, EVE), NOW + 2));
    expect(held(wider)).toEqual([
      [aPerson().id, [ADA, EVE]],
      ['bob', [BOB]],
    ]);
    expect(decideAdd(wider, person('x', EVE, ADA), NOW + 3)).toEqual({ ok: true, value: [] });
  });

  test('are one from the beginning where two of them are given one address', () => {
    const opened = openConversation(anOpening({ participants: [person('ada', ADA), person('eve', ADA, EVE)] }), NOW);
    expect(held(opened)).toEqual([['ada', [ADA, EVE]]]);
  });

  test('have as their own what they had only claimed, when somebody adds it', () => {
    const claim = claimedAddress(tel(EVE));
    const state = withPeople(aConversation(), [
      { ...aPerson(), addresses: [...aPerson().addresses, claim], addedAt: NOW },
    ]);
    expect(holderOf(state, tel(EVE))).toBeNull();
    const added = after(state, decideAdd(state, person('ada', ADA, EVE), NOW + 1));
    expect(peopleOf(added)[0]?.addresses.map(({ target, standing }) => [target, standing])).toEqual([
      [ADA, 'verified'],
      [EVE, 'verified'],
    ]);
  });

  test('leave with every address, and what comes from there is another conversation’s until they are back', () => {
    const state = after(aConversation(), decideAdd(aConversation(), person('bob', BOB), NOW + 1));
    const left = after(state, decideRemove(state, 'bob', NOW + 2));
    expect(holderOf(left, tel(BOB))).toBeNull();
    const opening = anOpening({ peer: address('tel', BOB), addressName: 'other pair' });
    const arrives = (at: ConversationState) => decideReceive(at, opening, anInbound({ senderId: BOB }), [], NOW + 3);
    expect(arrives(left)).toEqual({ ok: false, error: { code: 'CONVERSATION_CLOSED' } });
    const back = after(left, decideAdd(left, person('bob again', BOB), NOW + 4));
    expect(arrives(back).ok).toBe(true);
    expect(decideRemove(left, 'bob', NOW)).toEqual({ ok: false, error: { code: 'PARTICIPANT_NOT_FOUND' } });
    expect(decideRemove(left, aPerson().id, NOW)).toMatchObject({ ok: false, error: { field: 'participant_id' } });
  });

  test('take nothing from others when they leave: an address that they only claimed stays its holder’s', () => {
    const stranger = {
      ...person('stranger', EVE),
      addresses: [...person('stranger', EVE).addresses, claimedAddress(tel(ADA))],
    };
    const state = withPeople(aConversation(), [
      { ...aPerson(), addedAt: NOW },
      { ...stranger, addedAt: NOW },
    ]);
    const left = after(state, decideRemove(state, 'stranger', NOW + 1));
    expect([isReleased(left, tel(ADA)), isReleased(left, tel(EVE))]).toEqual([false, true]);
    expect(left.peer.target).toBe(ADA);
    expect(decideReceive(left, anOpening(), anInbound(), [], NOW + 2).ok).toBe(true);
  });

  test('that left are not written to by what answers where the contact was heard last', () => {
    const joined = after(aConversation(), decideAdd(aConversation(), person('bob', BOB), NOW + 1));
    const opening = anOpening({ peer: address('tel', BOB), addressName: 'pair of bob' });
    const heard = after(joined, decideReceive(joined, opening, anInbound({ senderId: BOB }), [], NOW + 2));
    expect(heard.peer.target).toBe(BOB);
    const left = after(heard, decideRemove(heard, 'bob', NOW + 3));
    expect([left.peer.target, left.inactiveBindings]).toEqual([ADA, []]);
    // Nobody but Bob was ever heard: there is no other way, and none to him.
    const alone = { ...heard, inactiveBindings: [] };
    const gone = after(alone, decideRemove(alone, 'bob', NOW + 3));
    const toLast = aSend({ recipients: [aRecipient(activeBinding(gone), { participantId: 'bob' })] });
    expect(decideSend(gone, toLast, [], NOW + 4)).toEqual({ ok: false, error: { code: 'NO_CHANNEL_AVAILABLE' } });
  });

  test('keep every binding by which they wrote: the one used last is the active one', () => {
    const state = aConversation();
    const opening = anOpening({ peer: address('whatsapp', ADA), addressName: 'by whatsapp', type: 'whatsapp' });
    const moved = after(state, decideReceive(state, opening, anInbound(), [], NOW + 1));
    expect([moved.type, moved.inactiveBindings.map(({ type }) => type)]).toEqual(['whatsapp', ['message']]);
    expect(held(moved)[0]?.[1]).toEqual([ADA, ADA]);
    const again = after(moved, decideReceive(moved, anOpening(), anInbound(), [], NOW + 2));
    expect([again.type, again.inactiveBindings.map(({ type }) => type)]).toEqual(['message', ['whatsapp']]);
  });
});
