import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { aConversation, anOpening, aPerson, aRecipient, aSend, NOW } from './support.ts';
import { address } from '../../../src/domain/addresses.ts';
import { chooseChannels } from '../../../src/domain/conversation/delivery/channel-choice.ts';
import type { Recipient } from '../../../src/domain/conversation/commands.ts';
import type { ChannelOption, ChannelBinding } from '../../../src/domain/conversation/state.ts';
import { decideSend } from '../../../src/domain/conversation/decide-send.ts';
import { newBinding } from '../../../src/domain/conversation/identity/bindings.ts';
import { HOUR } from '../../../src/domain/time.ts';

const PERSON = aPerson().id;
const binding = (type: string, parts: Partial<ChannelBinding> = {}): ChannelBinding => ({
  ...newBinding(
    anOpening({ type, addressName: `pair ${type}`, accountId: `account ${type}`, peer: address('tel', `to ${type}`) }),
  ),
  ...parts,
});
const option = (of: ChannelBinding, obstacle: ChannelOption['obstacle'] = null): ChannelOption => ({
  binding: of,
  obstacle,
  segments: null,
  fallsBack: false,
});
const to = (options: ChannelOption[], participantId = PERSON): Recipient => ({
  participantId,
  deliveryId: `to ${participantId}`,
  options,
});
const TOO_LONG = { field: 'text', problem: 'is too long' };

function choice(options: ChannelOption[], { channel = '', isHuman = false, preferred = '' } = {}) {
  const state = aConversation();
  const people = state.participants.map((each) => ({ ...each, preferredChannel: preferred }));
  const [chosen] = chooseChannels(
    { ...state, participants: people },
    [to(options)],
    { channel, isHuman, isTemplate: false },
    NOW,
  );
  return [chosen?.choice.chosen?.channel ?? null, chosen?.choice.rejected.map((each) => [each.channel, each.reason])];
}

describe('the channel is chosen', () => {
  test('by where the participant was active last, before its preference', () => {
    const options = [
      option(binding('message', { heardAt: 5 })),
      option(binding('line', { heardAt: 9 })),
      option(binding('email')),
    ];
    expect(choice(options, { preferred: 'email' })).toEqual([
      'line',
      [
        ['message', 'NOT_NEEDED'],
        ['email', 'NOT_NEEDED'],
      ],
    ]);
  });

  test('by what the content needs', () => {
    const options = [option(binding('message', { heardAt: 5 }), TOO_LONG), option(binding('email'))];
    expect(choice(options)).toEqual(['email', [['message', 'CONTENT']]]);
  });

  test('by preference where nobody has written yet', () => {
    const options = [option(binding('message')), option(binding('email'))];
    expect(choice(options, { preferred: 'email' })[0]).toBe('email');
    expect(choice(options)[0]).toBe('message');
  });

  test('by what is available: not where the contact opted out, nor after the window, and rather where it can be reached', () => {
    const over = { until: NOW - 1, warned: true, humanExtraMs: HOUR };
    const options = [
      option(binding('message', { heardAt: 9, optOut: true })),
      option(binding('whatsapp', { heardAt: 8, window: over })),
      option(binding('line', { reachable: false })),
      option(binding('email')),
    ];
    expect(choice(options)).toEqual([
      'email',
      [
        ['message', 'OPTED_OUT'],
        ['whatsapp', 'WINDOW_CLOSED'],
        ['line', 'NOT_NEEDED'],
      ],
    ]);
    expect(choice(options, { isHuman: true })[0]).toBe('whatsapp');
  });

  test('by the sender, who may insist', () => {
    const options = [option(binding('line', { heardAt: 9 })), option(binding('message'))];
    expect(choice(options, { channel: 'message' })).toEqual(['message', [['line', 'OTHER_CHANNEL']]]);
    expect(choice(options, { channel: 'email' })[0]).toBeNull();
  });

  test('the same whatever order the ways come in, and never one that cannot carry it', () => {
    const options = fc.uniqueArray(
      fc.record({
        type: fc.constantFrom('message', 'line', 'email', 'chat', 'whatsapp'),
        heardAt: fc.nat(3),
        optOut: fc.boolean(),
        isTooLong: fc.boolean(),
      }),
      { selector: ({ heardAt }) => heardAt },
    );
    fc.assert(
      fc.property(options, fc.nat(), (given, turn) => {
        const made = given.map(({ type, isTooLong, ...rest }, index) =>
          option(binding(type, { ...rest, addressName: `${index}` }), isTooLong ? TOO_LONG : null),
        );
        const turned = [...made.slice(turn % (made.length + 1)), ...made.slice(0, turn % (made.length + 1))];
        const pick = (list: ChannelOption[]) =>
          chooseChannels(aConversation(), [to(list)], { channel: '', isHuman: false, isTemplate: false }, NOW)[0];
        expect(pick(turned)?.option?.binding).toEqual(pick(made)?.option?.binding);
        const isPossible = given.some(({ optOut, isTooLong }) => !optOut && !isTooLong);
        expect(pick(made)?.option !== null).toBe(isPossible);
        const chosen = pick(made)?.option;
        if (chosen) expect([chosen.binding.optOut, chosen.obstacle]).toEqual([false, null]);
        expect(pick(made)?.choice.rejected).toHaveLength(made.length - (chosen ? 1 : 0));
      }),
    );
  });
});

describe('a message', () => {
  const send = (recipients: Recipient[]) => decideSend(aConversation(), aSend({ recipients }), [], NOW);

  test('goes to each participant by its own way, and says why', () => {
    const decided = send([to([option(binding('message'))]), to([option(binding('line'))], 'bob'), to([], 'nobody')]);
    const [message] = decided.ok ? decided.value.flatMap((event) => ('message' in event ? [event.message] : [])) : [];
    expect(message).toMatchObject({
      channel: 'message',
      accountId: 'account message',
      deliveries: [
        { id: `to ${PERSON}`, channel: 'message', target: 'to message', addressName: 'pair message' },
        { id: 'to bob', channel: 'line', target: 'to line', addressName: 'pair line' },
      ],
      routing: [{ chosen: { channel: 'message' } }, { chosen: { channel: 'line' } }, { chosen: null, rejected: [] }],
    });
  });

  test('that nobody can get is refused for what stands in the way of the best way', () => {
    const out = option(binding('message', { optOut: true, heardAt: 3 }));
    const shut = option(binding('whatsapp', { window: { until: 1, warned: true, humanExtraMs: 0 }, heardAt: 2 }));
    const long = option(binding('line', { heardAt: 1 }), TOO_LONG);
    expect(send([to([long, shut, out])])).toEqual({ ok: false, error: { code: 'CONTACT_OPTED_OUT' } });
    expect(send([to([long, shut])])).toEqual({ ok: false, error: { code: 'WINDOW_CLOSED' } });
    expect(send([to([long])])).toEqual({ ok: false, error: { code: 'INVALID_FIELD', ...TOO_LONG } });
    expect(send([to([])])).toEqual({ ok: false, error: { code: 'NO_CHANNEL_AVAILABLE' } });
  });

  test('by a new way leaves the conversation with it, and the contact’s last one at its top', () => {
    const decided = send([to([option(binding('line'))])]);
    const [changed] = decided.ok ? decided.value : [];
    expect(changed).toMatchObject({ type: 'conversation.updated', conversation: { type: 'message' } });
    const inactive = changed && 'conversation' in changed ? changed.conversation.inactiveBindings : [];
    expect(inactive.map(({ type }) => type)).toEqual(['line']);
  });

  test('to a contact that is named by its address goes to whoever has it here, through the account that has our address now', () => {
    const [moved] = aRecipient(binding('message', { addressName: 'pair', accountId: 'the new account' }), {
      participantId: 'made up',
    }).options;
    if (!moved) throw new Error('no option');
    const decided = send([to([moved], 'made up')]);
    const [changed] = decided.ok ? decided.value : [];
    expect(changed).toMatchObject({ type: 'conversation.updated', conversation: { accountId: 'the new account' } });
    expect(decided.ok && decided.value.at(-1)).toMatchObject({
      message: { deliveries: [{ accountId: 'the new account' }], routing: [{ participantId: 'made up' }] },
    });
    const byPeer = { ...moved, binding: { ...moved.binding, peer: aConversation().peer } };
    const known = send([to([byPeer], 'made up')]);
    expect(known.ok && known.value.at(-1)).toMatchObject({ message: { routing: [{ participantId: PERSON }] } });
  });

  test('does not go to an address that was taken out since its options were looked up', () => {
    const decided = decideSend(
      aConversation({ addresses: [{ type: 'tel', target: 'to line', standing: 'released' }] }),
      aSend({ recipients: [to([option(binding('line', { heardAt: 9 })), option(binding('message'))])] }),
      [],
      NOW,
    );
    expect(decided.ok && decided.value.at(-1)).toMatchObject({
      message: { deliveries: [{ channel: 'message' }], routing: [{ chosen: { channel: 'message' }, rejected: [] }] },
    });
  });
});
