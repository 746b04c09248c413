import { describe, expect, test } from 'vitest';
import { aConversation, anOpening, aSend, NOW } from './support.ts';
import { address } from '../../../src/domain/addresses.ts';
import type { ChannelOption, ChannelBinding } from '../../../src/domain/conversation/state.ts';
import { decideSend } from '../../../src/domain/conversation/decide-send.ts';
import { decideFallback } from '../../../src/domain/conversation/delivery/fallback.ts';
import { fallbackOptionsOf } from '../../../src/domain/conversation/delivery/channel-choice.ts';
import { newBinding } from '../../../src/domain/conversation/identity/bindings.ts';
import { progressOfMessage } from '../../../src/domain/conversation/delivery/delivery-status.ts';
import type { Delivery, Message } from '../../../src/domain/conversation/state.ts';

const binding = (type: string, parts: Partial<ChannelBinding> = {}): ChannelBinding => ({
  ...newBinding(anOpening({ type, addressName: `pair ${type}`, peer: address('email', `to ${type}`) })),
  ...parts,
});
const option = (type: string, parts: Partial<ChannelOption> = {}): ChannelOption => ({
  binding: binding(type),
  obstacle: null,
  segments: null,
  fallsBack: false,
  ...parts,
});

function aMessage(parts: Partial<Message> = {}): Message {
  const sent = decideSend(aConversation(), aSend(), [], NOW);
  const event = sent.ok ? sent.value.at(-1) : undefined;
  if (event?.type !== 'message.created') throw new Error('no message');
  return { ...event.message, sequence: 2, ...parts };
}

const state = aConversation();
const tried = (message: Message, fallbackOptions: ChannelOption[], of = state) =>
  decideFallback(of, message, { deliveryId: message.deliveries[0]?.id ?? '', fallbackOptions, newId: 'new' }, NOW + 1);
const added = (events: ReturnType<typeof tried>): Delivery | undefined =>
  events.flatMap((event) => ('message' in event ? event.message.deliveries.slice(1) : []))[0];

describe('a fallback', () => {
  test('takes the first way that may still be used, keeps the rest for later, and tells what it stands for', () => {
    const message = aMessage();
    const fallbackOptions = [
      option('whatsapp', { binding: binding('whatsapp', { optOut: true }) }),
      option('line', { binding: binding('line', { reachable: false }) }),
      option('email'),
      option('messenger'),
    ];
    const events = tried(message, fallbackOptions);
    expect(added(events)).toMatchObject({
      id: 'new',
      channel: 'email',
      status: 'queued',
      fallbackFor: message.deliveries[0]?.id,
    });
    expect(events.map(({ type }) => type)).toEqual(['conversation.updated', 'message.updated']);
    expect(events.at(-1)).toMatchObject({ fallbackOptions: { new: [{ binding: { type: 'messenger' } }] } });
  });

  test('is none for what was deleted, what a takeover forbids, and where nothing would do', () => {
    const fallbackOptions = [option('email')];
    expect(tried(aMessage({ deletedAt: NOW }), fallbackOptions)).toEqual([]);
    expect(tried(aMessage({ fence: state.modeEpoch + 1 }), fallbackOptions)).toEqual([]);
    expect(tried(aMessage(), [])).toEqual([]);
    const entry = { type: 'email' as const, target: 'to email', standing: 'released' as const };
    const released = { ...state, addresses: [...state.addresses, entry] };
    expect(tried(aMessage(), fallbackOptions, released)).toEqual([]);
  });

  test('is kept ready where the account wants it, and for visitors by mail alone', () => {
    const others = [option('message'), option('email')];
    expect(fallbackOptionsOf(option('line'), others)).toEqual([]);
    expect(fallbackOptionsOf(option('line', { fallsBack: true }), others)).toEqual(others);
    expect(fallbackOptionsOf(option('chat'), others).map((each) => each.binding.type)).toEqual(['email']);
  });
});

describe('a message’s progress', () => {
  const delivery = (id: string, status: Delivery['status'], fallbackFor?: string): Delivery => {
    const [first] = aMessage().deliveries;
    if (!first) throw new Error('no delivery');
    return { ...first, id, status, ...(fallbackFor === undefined ? {} : { fallbackFor }) };
  };

  test('counts what went another way with what it stands for', () => {
    expect(progressOfMessage([delivery('a', 'failed')])).toBe('failed');
    expect(progressOfMessage([delivery('a', 'failed'), delivery('b', 'queued', 'a')])).toBe('progressing');
    expect(progressOfMessage([delivery('a', 'failed'), delivery('b', 'sent', 'a')])).toBe('done');
    expect(progressOfMessage([delivery('a', 'sent'), delivery('b', 'queued', 'a')])).toBe('done');
    expect(progressOfMessage([delivery('a', 'sent'), delivery('b', 'failed', 'a')])).toBe('done');
    const other = delivery('c', 'queued');
    expect(progressOfMessage([delivery('a', 'sent'), delivery('b', 'failed', 'a'), other])).toBe('progressing');
  });
});
