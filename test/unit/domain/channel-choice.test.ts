import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { aConversation, anOpening, aPerson, aSend, NOW } from './support.ts';
import { address } from '../../../src/domain/addresses.ts';
import { chooseWays, type Recipient, type Way } from '../../../src/domain/conversation/delivery/channel-choice.ts';
import { decideSend } from '../../../src/domain/conversation/decide-send.ts';
import { newLink, type Link } from '../../../src/domain/conversation/identity/bindings.ts';
import { HOUR } from '../../../src/domain/time.ts';

const PERSON = aPerson().id;
const link = (type: string, parts: Partial<Link> = {}): Link => ({
  ...newLink(
    anOpening({ type, addressName: `pair ${type}`, accountId: `account ${type}`, peer: address('tel', `to ${type}`) }),
  ),
  ...parts,
});
const way = (of: Link, obstacle: Way['obstacle'] = null): Way => ({
  link: of,
  obstacle,
  segments: null,
  fallsBack: false,
});
const to = (ways: Way[], participantId = PERSON): Recipient => ({
  participantId,
  deliveryId: `to ${participantId}`,
  ways,
});
const TOO_LONG = { field: 'text', problem: 'is too long' };

function choice(ways: Way[], { channel = '', isHuman = false, preferred = '' } = {}) {
  const state = aConversation();
  const people = state.participants.map((each) => ({ ...each, preferredChannel: preferred }));
  const [chosen] = chooseWays({ ...state, participants: people }, [to(ways)], { channel, isHuman }, NOW);
  return [chosen?.choice.chosen?.channel ?? null, chosen?.choice.rejected.map((each) => [each.channel, each.reason])];
}

describe('the channel is chosen', () => {
  test('by where the participant was active last, before its preference', () => {
    const ways = [way(link('message', { heardAt: 5 })), way(link('line', { heardAt: 9 })), way(link('email'))];
    expect(choice(ways, { preferred: 'email' })).toEqual([
      'line',
      [
        ['message', 'NOT_NEEDED'],
        ['email', 'NOT_NEEDED'],
      ],
    ]);
  });

  test('by what the content needs', () => {
    const ways = [way(link('message', { heardAt: 5 }), TOO_LONG), way(link('email'))];
    expect(choice(ways)).toEqual(['email', [['message', 'CONTENT']]]);
  });

  test('by preference where nobody has written yet', () => {
    const ways = [way(link('message')), way(link('email'))];
    expect(choice(ways, { preferred: 'email' })[0]).toBe('email');
    expect(choice(ways)[0]).toBe('message');
  });

  test('by what is available: not where the contact opted out, nor after the window, and rather where it can be reached', () => {
    const over = { until: NOW - 1, warned: true, humanExtraMs: HOUR };
    const ways = [
      way(link('message', { heardAt: 9, optOut: true })),
      way(link('whatsapp', { heardAt: 8, window: over })),
      way(link('line', { reachable: false })),
      way(link('email')),
    ];
    expect(choice(ways)).toEqual([
      'email',
      [
        ['message', 'OPTED_OUT'],
        ['whatsapp', 'WINDOW_CLOSED'],
        ['line', 'NOT_NEEDED'],
      ],
    ]);
    expect(choice(ways, { isHuman: true })[0]).toBe('whatsapp');
  });

  test('by the sender, who may insist', () => {
    const ways = [way(link('line', { heardAt: 9 })), way(link('message'))];
    expect(choice(ways, { channel: 'message' })).toEqual(['message', [['line', 'OTHER_CHANNEL']]]);
    expect(choice(ways, { channel: 'email' })[0]).toBeNull();
  });

  test('the same whatever order the ways come in, and never one that cannot carry it', () => {
    const ways = fc.uniqueArray(
      fc.record({
        type: fc.constantFrom('message', 'line', 'email', 'chat', 'whatsapp'),
        heardAt: fc.nat(3),
        optOut: fc.boolean(),
        isTooLong: fc.boolean(),
      }),
      { selector: ({ heardAt }) => heardAt },
    );
    fc.assert(
      fc.property(ways, fc.nat(), (given, turn) => {
        const made = given.map(({ type, isTooLong, ...rest }, index) =>
          way(link(type, { ...rest, addressName: `${index}` }), isTooLong ? TOO_LONG : null),
        );
        const turned = [...made.slice(turn % (made.length + 1)), ...made.slice(0, turn % (made.length + 1))];
        const pick = (list: Way[]) => chooseWays(aConversation(), [to(list)], { channel: '', isHuman: false }, NOW)[0];
        expect(pick(turned)?.way?.link).toEqual(pick(made)?.way?.link);
        const isPossible = given.some(({ optOut, isTooLong }) => !optOut && !isTooLong);
        expect(pick(made)?.way !== null).toBe(isPossible);
        const chosen = pick(made)?.way;
        if (chosen) expect([chosen.link.optOut, chosen.obstacle]).toEqual([false, null]);
        expect(pick(made)?.choice.rejected).toHaveLength(made.length - (chosen ? 1 : 0));
      }),
    );
  });
});

describe('a message', () => {
  const send = (recipients: Recipient[]) => decideSend(aConversation(), aSend({ recipients }), [], NOW);

  test('goes to each participant by its own way, and says why', () => {
    const decided = send([to([way(link('message'))]), to([way(link('line'))], 'bob'), to([], 'nobody')]);
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
    const out = way(link('message', { optOut: true, heardAt: 3 }));
    const shut = way(link('whatsapp', { window: { until: 1, warned: true, humanExtraMs: 0 }, heardAt: 2 }));
    const long = way(link('line', { heardAt: 1 }), TOO_LONG);
    expect(send([to([long, shut, out])])).toEqual({ ok: false, error: { code: 'CONTACT_OPTED_OUT' } });
    expect(send([to([long, shut])])).toEqual({ ok: false, error: { code: 'WINDOW_CLOSED' } });
    expect(send([to([long])])).toEqual({ ok: false, error: { code: 'INVALID_FIELD', ...TOO_LONG } });
    expect(send([to([])])).toEqual({ ok: false, error: { code: 'NO_CHANNEL_AVAILABLE' } });
  });

  test('by a new way leaves the conversation with it, and the contact’s last one at its top', () => {
    const decided = send([to([way(link('line'))])]);
    const [changed] = decided.ok ? decided.value : [];
    expect(changed).toMatchObject({ type: 'conversation.updated', conversation: { type: 'message' } });
    const parked = changed && 'conversation' in changed ? changed.conversation.parked : [];
    expect(parked.map(({ type }) => type)).toEqual(['line']);
  });
});
