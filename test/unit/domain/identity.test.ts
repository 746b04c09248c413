import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { aConversation, anInbound, anOpening, aPerson, aRecipient, aSend, NOW } from './support.ts';
import { address, type AddressType } from '../../../src/domain/addresses.ts';
import {
  applyEvent,
  sequenceEvents,
  type ConversationEvent,
  type NewConversationEvent,
} from '../../../src/domain/conversation/events.ts';
import { decideReceive } from '../../../src/domain/conversation/decide-inbound.ts';
import {
  absorbedIn,
  decideAttachPerson,
  decideMerge,
  decideSplitOff,
  decideUnmerge,
  restoreParticipants,
} from '../../../src/domain/conversation/identity/merge.ts';
import { decideSend } from '../../../src/domain/conversation/decide-send.ts';
import { activeBinding, newBinding } from '../../../src/domain/conversation/identity/bindings.ts';
import { threadOf } from '../../../src/domain/conversation/mail-thread.ts';
import {
  decideAdd,
  decideReleaseAddresses,
  decideRemove,
} from '../../../src/domain/conversation/identity/decide-membership.ts';
import {
  attachPerson,
  holderOf,
  isReleased,
  peopleOf,
  withAssumedAddress,
  withPeople,
  addressText,
  claimedAddress,
  heldAddresses,
  isAmong,
  onePersonOf,
  plainAddress,
  isVisibleTo,
  visibleAddresses,
} from '../../../src/domain/conversation/identity/participants.ts';
import { goneFrom, scrubMessage, scrubState } from '../../../src/domain/conversation/identity/scrub.ts';
import type {
  ConversationState,
  Message,
  ContactAddress,
  Person,
  ChannelBinding,
} from '../../../src/domain/conversation/state.ts';

/** Who is who in a conversation: mergers, proofs, what a visitor sees, what an erasure leaves. */
const VISITOR: ContactAddress = { type: 'chat', target: 'visitor' };
const MAIL: ContactAddress = { type: 'email', target: 'ada@company.example' };
const TEL: ContactAddress = { type: 'tel', target: '+15559876543' };

const linkTo = ({ type, target }: ContactAddress): ChannelBinding => {
  const channel = type === 'tel' ? 'message' : type;
  return newBinding(anOpening({ type: channel, addressName: `pair ${type}`, peer: address(type, target) }));
};

type Parts = Partial<Omit<Person, 'addresses'>> & {
  claimed?: ContactAddress[];
  assumed?: ContactAddress[];
  /** Those that VISITOR has proved. */
  proved?: ContactAddress[];
};

const person = (
  addresses: ContactAddress[],
  { claimed = [], assumed = [], proved = [], ...parts }: Parts = {},
): Person => ({
  ...aPerson(),
  addedAt: NOW,
  ...parts,
  addresses: [
    ...addresses.map((one) => ({
      ...one,
      standing: isAmong(one, assumed) ? ('assumed' as const) : ('verified' as const),
      provedBy: isAmong(one, proved) ? [addressText(VISITOR)] : [],
    })),
    ...claimed.map(claimedAddress),
  ],
});

const conversationWith = (people: Person[], parts: Partial<ConversationState> = {}): ConversationState => {
  const [first = linkTo(TEL), ...others] = people.flatMap(heldAddresses).map(linkTo);
  return withPeople(aConversation({ ...first, inactiveBindings: others, ...parts }), people);
};

const conversationOf = (addresses: ContactAddress[], parts: Partial<ConversationState> = {}): ConversationState =>
  conversationWith([person(addresses)], parts);

const placed = (state: ConversationState, events: NewConversationEvent[]): ConversationEvent[] =>
  sequenceEvents(events, state.sequence, NOW + 1);

const applied = (state: ConversationState, events: NewConversationEvent[]): ConversationState =>
  placed(state, events).reduce<ConversationState>((latest, event) => applyEvent(latest, event), state);

const held = (state: ConversationState) => peopleOf(state).map((each) => heldAddresses(each).map(plainAddress));

describe('a merger', () => {
  test('brings everybody along, and its end takes exactly them away again', () => {
    const into = conversationOf([TEL]);
    const from = conversationOf([MAIL], { id: 'other' });
    const merges = { from: 'other', histories: ['other'], came: peopleOf(from) };
    const meeting = { person: person([TEL, MAIL]), bindings: [linkTo(MAIL)], merges };
    const met = decideAttachPerson(into, meeting, NOW);
    const merged = met.ok ? applied(into, met.value) : into;
    expect(held(merged)).toEqual([[TEL, MAIL]]);
    expect(merged.mergedFrom).toEqual(['other']);
    expect(decideAttachPerson(merged, meeting, NOW)).toEqual({ ok: true, value: [] });
    expect(decideAttachPerson({ ...into, lifecycle: 'closed' }, meeting, NOW)).toMatchObject({ ok: false });
    expect(decideMerge(merged, 'other', NOW)).toMatchObject({ ok: false });
    const log = met.ok ? placed(into, met.value) : [];
    expect(log.map(({ type }) => type)).toEqual(['conversation.merged_from']);
    const absorbed = absorbedIn(log, 'other');
    if (!absorbed) throw new Error('the log does not say who came');
    expect(absorbed.people).toEqual({ before: peopleOf(into), came: peopleOf(from) });
    const parted = decideSplitOff(merged, absorbed, NOW);
    const after = parted.ok ? applied(merged, parted.value) : merged;
    expect(held(after)).toEqual(held(into));
    expect(after).toMatchObject({ mergedFrom: [], inactiveBindings: [] });
    const ending = parted.ok ? placed(merged, parted.value) : [];
    expect(ending.map(({ type }) => type)).toEqual(['conversation.unmerged_from']);
    expect(absorbedIn([...log, ...ending], 'other')).toBeNull();

    const ended = decideMerge(from, into.id, NOW);
    const gone = ended.ok ? applied(from, ended.value) : from;
    expect(gone.mergedInto).toBe(into.id);
    expect(ended).toMatchObject({ value: [{ type: 'conversation.merged', merger: { into: into.id } }] });
    expect(decideSend(gone, aSend(), [], NOW)).toEqual({ ok: false, error: { code: 'CONVERSATION_CLOSED' } });
    expect(decideReceive(gone, anOpening(), anInbound(), [], NOW)).toMatchObject({ ok: false });
    const undone = decideUnmerge(gone, into.id, NOW);
    expect(undone).toMatchObject([{ type: 'conversation.unmerged', merger: { into: into.id } }]);
    const back = applied(gone, undone);
    expect({ ...back, sequence: 0, updatedAt: 0 }).toEqual({ ...from, sequence: 0, updatedAt: 0 });
    expect(decideUnmerge(back, into.id, NOW)).toEqual([]);
    expect(decideMerge({ ...from, lifecycle: 'closed' }, into.id, NOW)).toMatchObject({ ok: false });
  });
});

describe('people as they were before a merger', () => {
  const one = person([TEL], { id: 'one' });
  const two = person([VISITOR], { id: 'two', claimed: [MAIL], addedAt: NOW + 1 });
  const came = [person([MAIL], { id: 'came', name: 'Greta' })];

  test('are two again where the merger made one of them, and called as they were', () => {
    const joint = person([TEL, VISITOR], { id: 'one', name: 'Greta', proved: [TEL, MAIL] });
    const before = [{ ...one, name: '' }, two];
    expect(restoreParticipants([joint], { before, came }, [MAIL])).toEqual([
      person([TEL], { id: 'one', name: '', proved: [TEL] }),
      two,
    ]);
  });

  test('stay as they have become by themselves', () => {
    const renamed = person([TEL, VISITOR], { id: 'one', name: 'Ada Own' });
    expect(restoreParticipants([renamed], { before: [{ ...one, name: '' }], came }, [MAIL])).toEqual([renamed]);
    // Who was removed meanwhile does not come back.
    expect(restoreParticipants([one], { before: [one, two], came }, [MAIL])).toEqual([one]);
    const proved = person([VISITOR, MAIL], { id: 'two', proved: [MAIL] });
    expect(restoreParticipants([proved], { before: [], came }, [VISITOR])).toEqual([person([MAIL], { id: 'two' })]);
  });

  test('have again typed what the merger took for proved', () => {
    const joint = person([VISITOR], { id: 'two', addedAt: NOW + 1 });
    expect(restoreParticipants([joint], { before: [two], came }, [MAIL])).toEqual([two]);
  });

  test('are assumed again where the merger vouched for them, unless they have been proved since', () => {
    const assumed = person([TEL, VISITOR], { id: 'one', assumed: [TEL] });
    const now = person([TEL, VISITOR], { id: 'one' });
    expect(restoreParticipants([now], { before: [assumed], came }, [MAIL])).toEqual([assumed]);
    const proved = person([TEL, VISITOR], { id: 'one', proved: [TEL] });
    expect(restoreParticipants([proved], { before: [assumed], came }, [MAIL])).toEqual([proved]);
  });
});

describe('a visitor', () => {
  test('becomes one with whom it has proved to be, and keeps what it typed apart', () => {
    const stranger = person([VISITOR], { id: 'stranger', claimed: [MAIL] });
    const both = conversationWith([person([TEL]), stranger]);
    expect(attachPerson(both, person([VISITOR], { claimed: [MAIL] }))).toBe(both);
    const proved = attachPerson(both, person([MAIL, TEL, VISITOR], { proved: [MAIL] }));
    expect(proved.participants).toHaveLength(1);
    expect(peopleOf(proved)).toEqual([person([TEL, MAIL, VISITOR], { proved: [MAIL] })]);
    expect(visibleAddresses(both, VISITOR)).toEqual([addressText(VISITOR)]);
    expect(visibleAddresses(proved, VISITOR)).toEqual([addressText(VISITOR), addressText(MAIL), addressText(TEL)]);
  });

  const places: ContactAddress[] = [VISITOR, MAIL, TEL, { type: 'chat', target: 'another' }];
  const anAddress = fc.constantFrom(...places);
  const message = fc
    .record({ incoming: fc.boolean(), of: anAddress, to: fc.array(anAddress, { maxLength: 3 }), text: fc.string() })
    .map(({ incoming, of, to, text }): Message => {
      const sent = decideSend(conversationOf([of]), aSend({ text }), [], NOW);
      const event = sent.ok ? sent.value.at(-1) : undefined;
      if (event?.type !== 'message.created') throw new Error('no message');
      const [delivery] = event.message.deliveries;
      const channel = (type: AddressType) => (type === 'tel' ? 'message' : type);
      const deliveries = delivery
        ? to.map((each) => ({ ...delivery, channel: channel(each.type), target: each.target }))
        : [];
      const common = { ...event.message, source: address(of.type, of.target) };
      return incoming
        ? { ...common, direction: 'incoming', sender: { type: 'contact', id: '', name: '' }, deliveries: [] }
        : { ...common, deliveries };
    });

  test('that has proved nothing sees what went over its own chat, and nothing else, whatever is in the conversation', () => {
    const state = conversationOf([VISITOR, MAIL, TEL]);
    fc.assert(
      fc.property(message, (each) => {
        const own =
          each.direction === 'incoming'
            ? each.source.type === 'chat' && each.source.target === VISITOR.target
            : each.deliveries.some(({ channel, target }) => channel === 'chat' && target === VISITOR.target);
        expect(isVisibleTo(visibleAddresses(state, VISITOR), each)).toBe(own);
        const proved = conversationWith([person([VISITOR, MAIL, TEL], { proved: [MAIL] })]);
        const others = JSON.stringify(each.direction === 'incoming' ? each.source : each.deliveries);
        const ofPerson = each.direction === 'incoming' || each.deliveries.length > 0;
        if (!others.includes('another')) expect(isVisibleTo(visibleAddresses(proved, VISITOR), each)).toBe(ofPerson);
        const assumed = conversationWith([person([VISITOR, MAIL, TEL], { proved: [MAIL], assumed: [TEL] })]);
        const ofTel =
          each.direction === 'incoming'
            ? each.source.type === 'tel'
            : each.deliveries.every(({ channel }) => channel === 'message');
        if (ofTel) expect(isVisibleTo(visibleAddresses(assumed, VISITOR), each)).toBe(false);
      }),
    );
  });

  test('an erasure leaves no address, name or word of whom it is about', () => {
    const others: ContactAddress = { type: 'tel', target: '+15550000009' };
    fc.assert(
      fc.property(fc.array(message, { maxLength: 10 }), (messages) => {
        const people = [
          person([VISITOR, MAIL, TEL], { name: 'Ada' }),
          person([others], { id: 'b', contactId: 'b', name: 'Bob' }),
        ];
        const name = `Chat with Ada (${TEL.target})`;
        const full = withPeople(conversationOf([VISITOR, MAIL, TEL], { name }), people);
        const gone = goneFrom(full, [aPerson().contactId]);
        const left = JSON.stringify([scrubState(full, gone), messages.map((each) => scrubMessage(each, gone, NOW))]);
        for (const word of ['Ada', TEL.target, MAIL.target, `"${VISITOR.target}"`]) expect(left).not.toContain(word);
        expect(left).toContain(others.target);
      }),
    );
  });
});

describe('whatever happens to the people of a conversation', () => {
  const pool: ContactAddress[] = [
    VISITOR,
    { type: 'chat', target: 'another' },
    MAIL,
    { type: 'email', target: 'bob@company.example' },
    TEL,
    { type: 'tel', target: '+15550000002' },
  ];
  const some = fc.uniqueArray(fc.constantFrom(...pool), { selector: addressText, minLength: 1, maxLength: 3 });
  const anyPerson = fc
    .record({
      id: fc.constantFrom('a', 'b', 'c', 'd'),
      name: fc.constantFrom('', 'Ada', 'Bob'),
      addresses: some,
      claimed: fc.uniqueArray(fc.constantFrom(...pool), { selector: addressText, maxLength: 2 }),
      isProved: fc.boolean(),
    })
    .map(({ id, name, addresses, claimed, isProved }) => {
      const onlyClaimed = claimed.filter((one) => !isAmong(one, addresses));
      const proved = isProved && isAmong(VISITOR, addresses) ? addresses.filter(({ type }) => type !== 'chat') : [];
      return person(addresses, { id, name, claimed: onlyClaimed, proved, addedAt: NOW + id.charCodeAt(0) });
    });
  const step = fc.oneof(
    anyPerson.map((who) => ({ kind: 'add' as const, who })),
    anyPerson.map((who) => ({ kind: 'attach' as const, who })),
    fc.constantFrom('a', 'b', 'c', 'd').map((id) => ({ kind: 'remove' as const, id })),
    some.map((addresses) => ({ kind: 'release' as const, addresses })),
    fc.constantFrom(...pool).map((address) => ({ kind: 'write' as const, address })),
  );
  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

  function after(state: ConversationState, each: Step): ConversationState {
    if (each.kind === 'write') return isReleased(state, each.address) ? state : withAssumedAddress(state, each.address);
    const decided = {
      add: () => (each.kind === 'add' ? decideAdd(state, each.who, NOW) : null),
      attach: () =>
        each.kind === 'attach'
          ? decideAttachPerson(state, { person: each.who, bindings: [], merges: null }, NOW)
          : null,
      remove: () => (each.kind === 'remove' ? decideRemove(state, each.id, NOW) : null),
      release: () => (each.kind === 'release' ? decideReleaseAddresses(state, each.addresses, NOW) : null),
    }[each.kind]();
    return decided?.ok ? applied(state, decided.value) : state;
  }

  const byId = (one: Person, other: Person): number => one.id.localeCompare(other.id);
  const anyHistory = fc.array(step, { maxLength: 12 });
  const reached = (steps: Step[]): ConversationState => steps.reduce(after, conversationOf([TEL]));

  test('an address is held by at most one participant, and a released one by none', () => {
    fc.assert(
      fc.property(anyHistory, (steps) => {
        const state = reached(steps);
        for (const each of pool) {
          const holders = peopleOf(state).filter((who) => isAmong(each, heldAddresses(who)));
          expect(holders.length).toBeLessThanOrEqual(1);
          if (isReleased(state, each)) expect(holderOf(state, each)).toBeNull();
        }
        const ids = new Set(state.participants.map(({ id }) => id));
        const owners = state.addresses.flatMap((one) => ('participantId' in one ? [one.participantId] : []));
        expect(owners.every((id) => ids.has(id))).toBe(true);
        expect(peopleOf(state).every((who) => heldAddresses(who).length > 0)).toBe(true);
      }),
    );
  });

  test('what is only assumed or claimed never widens what a visitor sees', () => {
    fc.assert(
      fc.property(anyHistory, fc.constantFrom(...pool), (steps, address) => {
        const state = reached(steps);
        const seen = visibleAddresses(state, VISITOR);
        const holder = holderOf(state, VISITOR);
        const assumed = isReleased(state, address) ? state : withAssumedAddress(state, address);
        const claimed = attachPerson(state, {
          name: '',
          addresses: [person([VISITOR]).addresses, claimedAddress(address)].flat(),
        });
        for (const later of [assumed, claimed])
          if (holder) expect(seen).toEqual(expect.arrayContaining(visibleAddresses(later, VISITOR)));
        const vouched = peopleOf(state).flatMap(({ addresses }) =>
          addresses.filter(({ standing }) => standing === 'verified'),
        );
        for (const text of seen) expect([addressText(VISITOR), ...vouched.map(addressText)]).toContain(text);
      }),
    );
  });

  test('the end of a merger gives the same people back', () => {
    fc.assert(
      fc.property(anyHistory, anyHistory, fc.array(fc.boolean()), (steps, others, isMeant) => {
        const into = reached(steps);
        const left = reached(others);
        // Two open conversations hold no address in common.
        const taken = peopleOf(into).flatMap(heldAddresses);
        const released = decideReleaseAddresses(left, taken, NOW);
        fc.pre(released.ok);
        const from = applied(left, released.ok ? released.value : []);
        const came = peopleOf(from).map((who) => ({ ...who, id: `came ${who.id}` }));
        const as = peopleOf(into)
          .filter((_, index) => isMeant[index])
          .flatMap(heldAddresses);
        const attachment = {
          person: onePersonOf(came, as),
          bindings: [],
          merges: { from: 'other', histories: ['other'], came },
        };
        const met = decideAttachPerson(into, attachment, NOW);
        if (!met.ok) throw new Error('the merger was refused');
        const merged = applied(into, met.value);
        const absorbed = absorbedIn(placed(into, met.value), 'other');
        if (!absorbed) throw new Error('the log does not say who came');
        const parted = decideSplitOff(merged, absorbed, NOW);
        const back = parted.ok ? applied(merged, parted.value) : merged;
        expect(peopleOf(back).toSorted(byId)).toEqual(peopleOf(into).toSorted(byId));
        expect(back.mergedFrom).toEqual([]);
      }),
    );
  });
});

describe('a mail of ours', () => {
  const toMail = aSend({ recipients: [aRecipient(activeBinding(conversationOf([MAIL])))] });
  const mail = (sequence: number, parts: Partial<Message>): Message => {
    const sent = decideSend(conversationOf([MAIL]), toMail, [], NOW);
    const event = sent.ok ? sent.value.at(-1) : undefined;
    if (event?.type !== 'message.created') throw new Error('no message');
    return { ...event.message, sequence, deliveries: [], ...parts };
  };
  const incoming = (sequence: number, messageId: string, references: string[] = [], subject = 'Order'): Message =>
    mail(sequence, {
      direction: 'incoming',
      channel: 'email',
      source: address('email', MAIL.target),
      mail: { subject, messageId, references },
    });
  const outgoing = (sequence: number, providerId: string): Message => {
    const [delivery] = decideSendDeliveries();
    return mail(sequence, { deliveries: delivery ? [{ ...delivery, providerId }] : [] });
  };
  const decideSendDeliveries = () => {
    const sent = decideSend(conversationOf([MAIL]), toMail, [], NOW);
    const event = sent.ok ? sent.value.at(-1) : undefined;
    return event?.type === 'message.created' ? event.message.deliveries : [];
  };
  const option = 'pair email';

  test('stands under the last one of the thread, and refers to all of it, oldest first and once', () => {
    const earlier = [outgoing(4, 'c@us'), incoming(3, 'b@them', ['a@them', 'x@us']), incoming(2, 'a@them')];
    expect(threadOf(outgoing(5, ''), earlier, option, 'E-mail · Ada')).toEqual({
      subject: 'Re: Order',
      inReplyTo: 'c@us',
      references: ['a@them', 'x@us', 'b@them', 'c@us'],
    });
  });

  test('keeps a “Re:” of any language, takes the conversation’s name where there is no subject, and one that is given', () => {
    const subjects = ['RE: Order', 'Aw: Order', '답장: Order', '回复：Order'];
    for (const subject of subjects) {
      expect(threadOf(outgoing(5, ''), [incoming(2, 'a@them', [], subject)], option, 'x').subject).toBe(subject);
    }
    expect(threadOf(outgoing(5, ''), [], option, 'Order Support #5678')).toEqual({
      subject: 'Order Support #5678',
      inReplyTo: null,
      references: [],
    });
    const named = { ...outgoing(5, ''), mail: { subject: 'News', messageId: '', references: [] } };
    expect(threadOf(named, [incoming(2, 'a@them')], option, 'x').subject).toBe('News');
  });
});
