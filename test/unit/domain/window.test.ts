import { describe, expect, test } from 'vitest';
import { aConversation, anInbound, anOpening, aSend, NOW } from './support.ts';
import {
  decideWindowClosed,
  decideLifecycle,
  nextLifecycleAt,
} from '../../../src/domain/conversation/decide-change.ts';
import { decideReceive, openConversation } from '../../../src/domain/conversation/decide-inbound.ts';
import { decideSend } from '../../../src/domain/conversation/decide-send.ts';
import { decideProviderSignal } from '../../../src/domain/conversation/delivery/provider-signal.ts';
import { newMessage } from '../../../src/domain/conversation/decide-message.ts';
import type { ConversationState } from '../../../src/domain/conversation/state.ts';
import { HOUR, microsOf, millisOf, MINUTE } from '../../../src/domain/time.ts';

const now = millisOf(NOW);
const withWindow = (until: number, warned = false, humanExtraMs = 0): ConversationState =>
  aConversation({ window: { until: microsOf(until), warned, humanExtraMs } });

const REST = {
  direction: 'outgoing' as const,
  source: aConversation().self,
  destination: aConversation().peer,
  sender: { type: 'agent' as const, id: '', name: '' },
};

const afterMessage = (
  state: ConversationState | null,
  windowUntil: number,
  humanExtraMs = 0,
): ConversationState | undefined => {
  const decided = decideReceive(
    state,
    anOpening({ window: { humanExtraMs, left: null } }),
    anInbound({ windowUntil }),
    [],
    NOW,
  );
  if (!decided.ok) return undefined;
  return decided.value.flatMap((event) => ('conversation' in event ? [event.conversation] : [])).at(-1);
};

describe('the window for free text', () => {
  test('is opened by each message, and a late one does not shorten it', () => {
    const opened = afterMessage(null, now + 24 * HOUR);
    expect(opened?.window).toEqual({ until: microsOf(now + 24 * HOUR), warned: false, humanExtraMs: 0 });
    expect(afterMessage(withWindow(now + HOUR, true), now + 2 * HOUR)?.window?.warned).toBe(false);
    expect(afterMessage(withWindow(now + 2 * HOUR), now + HOUR)).toBeUndefined();
  });

  test('does not exist on other channels', () => {
    const decided = decideReceive(null, anOpening(), anInbound({ windowUntil: null }), [], NOW);
    expect(decided).toMatchObject({ value: [{ conversation: { window: null } }, {}] });
    expect(decideSend(aConversation(), aSend(), [], NOW).ok).toBe(true);
  });

  test('refuses free text at its end and lets templates pass', () => {
    const template = { name: 'hello', language: 'en_US', parameters: [] };
    expect(decideSend(withWindow(now + 1), aSend(), [], NOW).ok).toBe(true);
    for (const over of [withWindow(now), withWindow(0)]) {
      expect(decideSend(over, aSend(), [], NOW)).toEqual({ ok: false, error: { code: 'WINDOW_CLOSED' } });
      expect(decideSend(over, aSend({ template }), [], NOW).ok).toBe(true);
    }
  });

  test('is longer for a person where the channel says so, and for nobody to a contact who never wrote', () => {
    const person = aSend({ actor: { type: 'agent', id: 'a' } });
    const messenger = (until: number) => withWindow(until, true, 144 * HOUR);
    expect(decideSend(messenger(now - HOUR), person, [], NOW).ok).toBe(true);
    expect(decideSend(messenger(now - HOUR), aSend(), [], NOW).ok).toBe(false);
    expect(decideSend(messenger(now - 145 * HOUR), person, [], NOW).ok).toBe(false);
    expect(
      decideSend(aConversation({ window: { until: 0, warned: true, humanExtraMs: 1e15 } }), person, [], NOW).ok,
    ).toBe(false);
  });

  test('is over when the provider says so, once', () => {
    const [closed] = decideWindowClosed(withWindow(now + HOUR), 'pair', NOW);
    expect(closed).toMatchObject({ conversation: { window: { until: NOW, warned: true } } });
    expect(decideWindowClosed(withWindow(now - HOUR), 'pair', NOW)).toEqual([]);
    expect(decideWindowClosed(aConversation(), 'pair', NOW)).toEqual([]);
  });

  test('is over for a person too when the provider refuses one, until the contact writes again', () => {
    const person = aSend({ actor: { type: 'agent', id: 'a' } });
    const late = withWindow(now - HOUR, true, 144 * HOUR);
    const [refused] = decideWindowClosed(late, 'pair', NOW);
    const shut = refused && 'conversation' in refused ? refused.conversation : late;
    expect(decideSend(late, person, [], NOW).ok).toBe(true);
    expect(decideSend(shut, person, [], NOW)).toEqual({ ok: false, error: { code: 'WINDOW_CLOSED' } });
    const again = afterMessage(shut, now + 24 * HOUR, 144 * HOUR);
    expect(again?.window).toEqual({ until: microsOf(now + 24 * HOUR), warned: false, humanExtraMs: 144 * HOUR });
  });

  test('is not closed by a verdict on what was said before the contact wrote again', () => {
    const state = { ...withWindow(now + 24 * HOUR), heardAt: NOW };
    const news = { status: 'failed' as const, windowClosed: true };
    const providerSignal = (createdAt: number) => {
      const message = { ...newMessage(state, { messageId: 'm', text: '', medias: [] }, createdAt), ...REST };
      return decideProviderSignal(state, message, 'd', news, () => 0, NOW + 1).events;
    };
    expect(providerSignal(NOW - 1)).toEqual([]);
    expect(providerSignal(NOW + 1)).toMatchObject([{ conversation: { window: { until: NOW + 1 } } }]);
  });

  test('outlives the conversation: the next one begins with what is left of it', () => {
    const left = { until: microsOf(now + HOUR), warned: true, humanExtraMs: 0 };
    expect(openConversation(anOpening({ window: { humanExtraMs: 0, left } }), NOW).window).toEqual(left);
  });

  test('is announced an hour before its end, once, and not at all when it is over already', () => {
    const settings = { idleMs: 1000 * HOUR, closeMs: 2000 * HOUR, publicUrl: '' };
    const state = withWindow(now + 24 * HOUR);
    const due = now + 23 * HOUR;
    expect(nextLifecycleAt(state, settings)).toBe(due);
    expect(decideLifecycle(state, settings, due - 1, NOW)).toEqual([]);
    const [closing] = decideLifecycle(state, settings, due, microsOf(due));
    expect(closing).toMatchObject({ type: 'conversation.window_closing', conversation: { window: { warned: true } } });
    const warned = withWindow(now + 24 * HOUR, true);
    expect(nextLifecycleAt(warned, settings)).toBe(now + 1000 * HOUR);
    const late = decideLifecycle(state, settings, now + 25 * HOUR, microsOf(now + 25 * HOUR + MINUTE));
    expect(late).toMatchObject([{ type: 'conversation.updated', conversation: { window: { warned: true } } }]);
  });
});
