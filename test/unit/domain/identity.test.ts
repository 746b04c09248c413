import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { aConversation, anInbound, anOpening, aPerson, aRecipient, aSend, NOW } from './support.ts';
import { address, type AddressType } from '../../../src/domain/addresses.ts';
import { applyEvent, place } from '../../../src/domain/conversation/apply.ts';
import { restoreParticipants } from '../../../src/domain/conversation/identity/restore-participants.ts';
import type { NewConversationEvent } from '../../../src/domain/conversation/events.ts';
import { decideReceive } from '../../../src/domain/conversation/decide-inbound.ts';
import {
  decideAttachPerson,
  decideMerge,
  decideSplitOff,
  decideUnmerge,
} from '../../../src/domain/conversation/identity/merge.ts';
import { decideSend } from '../../../src/domain/conversation/decide-send.ts';
import { activeBinding, newBinding, type ChannelBinding } from '../../../src/domain/conversation/identity/bindings.ts';
import { threadOf } from '../../../src/domain/conversation/mail-thread.ts';
import {
  addressText,
  addressesOf,
  toldOf,
  type ContactAddress,
} from '../../../src/domain/conversation/identity/participants.ts';
import { goneFrom, scrubMessage, scrubState } from '../../../src/domain/conversation/identity/scrub.ts';
import type { ConversationState, Message } from '../../../src/domain/conversation/state.ts';
import { isVisibleTo } from '../../../src/domain/conversation/identity/visible.ts';

/** Who is who in a conversation: mergers, proofs, what a visitor sees, what an erasure leaves. */
const VISITOR: ContactAddress = { type: 'chat', target: 'visitor' };
const MAIL: ContactAddress = { type: 'email', target: 'ada@company.example' };
const TEL: ContactAddress = { type: 'tel', target: '+15559876543' };

const linkTo = ({ type, target }: ContactAddress): ChannelBinding => {
  const channel = type === 'tel' ? 'message' : type;
  return newBinding(anOpening({ type: channel, addressName: `pair ${type}`, peer: address(type, target) }));
};

const person = (addresses: ContactAddress[], parts: object = {}) => ({ ...aPerson(), addresses, ...parts });

const conversationOf = (addresses: ContactAddress[], parts: Partial<ConversationState> = {}): ConversationState => {
  const [first = TEL, ...others] = addresses.map(linkTo);
  const top = 'addressName' in first ? first : linkTo(TEL);
  return aConversation({
    ...top,
    parked: others.filter((each) => 'addressName' in each),
    participants: [{ ...person(addresses), addedAt: NOW }],
    ...parts,
  });
};

const applied = (state: ConversationState, events: NewConversationEvent[]): ConversationState =>
  place(events, state.sequence, NOW + 1).reduce<ConversationState>((latest, event) => applyEvent(latest, event), state);

const held = (state: ConversationState) => state.participants.map(({ addresses }) => addresses);

describe('a merger', () => {
  test('brings everybody along, and its end takes exactly them away again', () => {
    const into = conversationOf([TEL]);
    const from = conversationOf([MAIL], { id: 'other' });
    const meeting = { person: person([TEL, MAIL]), bindings: [linkTo(MAIL)], from: ['other'] };
    const met = decideAttachPerson(into, meeting, NOW);
    const merged = met.ok ? applied(into, met.value) : into;
    expect(held(merged)).toEqual([[TEL, MAIL]]);
    expect(merged.mergedFrom).toEqual(['other']);
    expect(decideAttachPerson(merged, meeting, NOW)).toEqual({ ok: true, value: [] });
    expect(decideAttachPerson({ ...into, lifecycle: 'closed' }, meeting, NOW)).toMatchObject({ ok: false });
    expect(decideMerge(merged, 'other', NOW)).toMatchObject({ ok: false });
    const people = { here: into.participants, came: from.participants };
    const parted = decideSplitOff(merged, { from: ['other'], addresses: [MAIL], people }, NOW);
    const after = parted.ok ? applied(merged, parted.value) : merged;
    expect(held(after)).toEqual(held(into));
    expect(after).toMatchObject({ mergedFrom: [], parked: [] });

    const ended = decideMerge(from, into.id, NOW);
    const gone = ended.ok ? applied(from, ended.value) : from;
    expect(gone.mergedInto).toBe(into.id);
    expect(decideSend(gone, aSend(), [], NOW)).toEqual({ ok: false, error: { code: 'CONVERSATION_CLOSED' } });
    expect(decideReceive(gone, anOpening(), anInbound(), [], NOW)).toMatchObject({ ok: false });
    const back = applied(gone, decideUnmerge(gone, into.id, NOW));
    expect({ ...back, sequence: 0, updatedAt: 0 }).toEqual({ ...from, sequence: 0, updatedAt: 0 });
    expect(decideUnmerge(back, into.id, NOW)).toEqual([]);
    expect(decideMerge({ ...from, lifecycle: 'closed' }, into.id, NOW)).toMatchObject({ ok: false });
  });
});

describe('people as they were before a merger', () => {
  const one = { ...person([TEL]), id: 'one', addedAt: NOW };
  const two = { ...person([VISITOR]), id: 'two', unverified: [MAIL], addedAt: NOW + 1 };
  const came = [{ ...person([MAIL]), id: 'came', name: 'Greta', addedAt: NOW }];

  test('are two again where the merger made one of them, and called as they were', () => {
    const proofs = { [addressText(VISITOR)]: [addressText(TEL), addressText(MAIL)] };
    const joint = { ...one, name: 'Greta', addresses: [TEL, VISITOR], proofs };
    expect(restoreParticipants([joint], { here: [{ ...one, name: '' }, two], came }, [MAIL])).toEqual([
      { ...one, name: '', proofs: { [addressText(VISITOR)]: [addressText(TEL)] } },
      two,
    ]);
  });

  test('stay as they have become by themselves', () => {
    const renamed = { ...one, name: 'Ada Own', addresses: [TEL, VISITOR] };
    expect(restoreParticipants([renamed], { here: [{ ...one, name: '' }], came }, [MAIL])).toEqual([renamed]);
    // Who was removed meanwhile does not come back.
    expect(restoreParticipants([one], { here: [one, two], came }, [MAIL])).toEqual([one]);
    const visitor = { ...two, proofs: { [addressText(VISITOR)]: [addressText(MAIL)] } };
    expect(restoreParticipants([visitor], { here: [], came }, [VISITOR])).toEqual([{ ...visitor, proofs: {} }]);
  });

  test('have again typed what the merger took for proved', () => {
    const joint = { ...two, unverified: [] };
    expect(restoreParticipants([joint], { here: [two], came }, [MAIL])).toEqual([two]);
  });
});

describe('a visitor', () => {
  test('becomes one with whom it has proved to be, and keeps what it typed apart', () => {
    const state = conversationOf([TEL]);
    const stranger = { ...person([VISITOR]), id: 'stranger', unverified: [MAIL], addedAt: NOW };
    const both = { ...state, participants: [...state.participants, stranger] };
    expect(toldOf(both, person([VISITOR], { unverified: [MAIL] }))).toBe(both);
    const proofs = { [addressText(VISITOR)]: [addressText(MAIL)] };
    const proved = toldOf(both, person([MAIL, TEL, VISITOR], { proofs }));
    expect(proved.participants).toHaveLength(1);
    expect(proved.participants[0]).toMatchObject({
      addresses: [TEL, MAIL, VISITOR],
      unverified: [],
      proofs,
    });
    expect(addressesOf(both, VISITOR)).toEqual([addressText(VISITOR)]);
    expect(addressesOf(proved, VISITOR)).toEqual([addressText(VISITOR), addressText(MAIL), addressText(TEL)]);
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
        expect(isVisibleTo(addressesOf(state, VISITOR), each)).toBe(own);
        const [ada] = state.participants;
        const proofs = { [addressText(VISITOR)]: [addressText(MAIL)] };
        const proved = { ...state, participants: ada ? [{ ...ada, proofs }] : [] };
        const others = JSON.stringify(each.direction === 'incoming' ? each.source : each.deliveries);
        const ofPerson = each.direction === 'incoming' || each.deliveries.length > 0;
        if (!others.includes('another')) expect(isVisibleTo(addressesOf(proved, VISITOR), each)).toBe(ofPerson);
        const assumed = { ...state, participants: ada ? [{ ...ada, proofs, assumed: [addressText(TEL)] }] : [] };
        const ofTel =
          each.direction === 'incoming'
            ? each.source.type === 'tel'
            : each.deliveries.every(({ channel }) => channel === 'message');
        if (ofTel) expect(isVisibleTo(addressesOf(assumed, VISITOR), each)).toBe(false);
      }),
    );
  });

  test('an erasure leaves no address, name or word of whom it is about', () => {
    const others: ContactAddress = { type: 'tel', target: '+15550000009' };
    fc.assert(
      fc.property(fc.array(message, { maxLength: 10 }), (messages) => {
        const state = conversationOf([VISITOR, MAIL, TEL], { name: `Chat with Ada (${TEL.target})` });
        const [ada] = state.participants;
        const people = ada
          ? [
              { ...ada, name: 'Ada' },
              { ...ada, id: 'b', contactId: 'b', name: 'Bob', addresses: [others] },
            ]
          : [];
        const full = { ...state, participants: people };
        const gone = goneFrom(full, [aPerson().contactId]);
        const left = JSON.stringify([scrubState(full, gone), messages.map((each) => scrubMessage(each, gone, NOW))]);
        for (const word of ['Ada', TEL.target, MAIL.target, `"${VISITOR.target}"`]) expect(left).not.toContain(word);
        expect(left).toContain(others.target);
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
