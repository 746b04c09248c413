import { describe, expect, test } from 'vitest';
import { announceVoicebip } from '../../../src/dialects/voicebip/events.ts';
import { sampleEvent } from '../../../src/dialects/voicebip/sample.ts';
import { isMessageEvent, type ConversationEvent } from '../../../src/domain/conversation/events.ts';
import type { DeliveryStatus } from '../../../src/domain/conversation/state.ts';

const CUSTOMER = '0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b';
const SOURCE = '0190a1b2-0000-7e5f-8a9b-0c1d2e3f4a5b';

const sent = sampleEvent('message.sent', CUSTOMER, 1);

function withStatus(
  event: ConversationEvent,
  status: DeliveryStatus,
  sequence: number,
  type: 'message.updated' | 'message.deleted' = 'message.updated',
): ConversationEvent {
  if (!isMessageEvent(event)) throw new Error('no message');
  const deliveries = event.message.deliveries.map((delivery) => ({ ...delivery, status }));
  return { ...event, type, sequence, message: { ...event.message, deliveries } };
}

const told = (event: ConversationEvent) => announceVoicebip(SOURCE, event).map(({ type }) => type);

describe('what an endpoint of this dialect is told', () => {
  test.each(['sent', 'delivered', 'read', 'failed'] as const)('a message that is %s, once', (status) => {
    const first = announceVoicebip(SOURCE, withStatus(sent, status, 5)).at(-1);
    const again = announceVoicebip(SOURCE, withStatus(sent, status, 6)).at(-1);
    expect(first).toMatchObject({ type: `message.${status}`, sourceId: SOURCE, sequence: 5, dialect: 'voicebip' });
    expect(again?.eventId).toBe(first?.eventId);
    expect(first?.eventId).toMatch(/^evt_[0-9a-f]{32}_[a-z]+$/);
  });

  test('each state under an id of its own', () => {
    const ids = (['sent', 'delivered', 'read', 'failed'] as const).flatMap((status) =>
      announceVoicebip(SOURCE, withStatus(sent, status, 5)).map(({ eventId }) => eventId),
    );
    expect(new Set(ids).size).toBe(4);
  });

  test('that it was sent, also where the receipt came first', () => {
    const sentIds = (['sent', 'delivered', 'read'] as const).map(
      (status) =>
        announceVoicebip(SOURCE, withStatus(sent, status, 5)).find(({ type }) => type === 'message.sent')?.eventId,
    );
    expect(new Set(sentIds).size).toBe(1);
    expect(sentIds[0]).toMatch(/_sent$/);
    expect(told(withStatus(sent, 'failed', 5))).toEqual(['message.failed']);
  });

  test('nothing of a message that waits, is being sent or was deleted', () => {
    expect(told(withStatus(sent, 'queued', 5))).toEqual([]);
    expect(told(withStatus(sent, 'sending', 5))).toEqual([]);
    expect(told(withStatus(sent, 'sent', 5, 'message.deleted'))).toEqual([]);
  });

  test('what a contact wrote, and that the window closes', () => {
    expect(told(sampleEvent('message.received', CUSTOMER, 1))).toEqual(['message.received']);
    expect(told(sampleEvent('window.closing', CUSTOMER, 1))).toEqual(['window.closing']);
  });

  test('an opt-out, and neither an opt-in nor a change of mode', () => {
    const base = sampleEvent('message.opt_out', CUSTOMER, 1);
    if (isMessageEvent(base)) throw new Error('a message');
    const change = { actor: { type: 'contact', id: '' }, reason: 'contact', mode: null, owner: null } as const;
    const mode = { from: 'ai', to: 'human' } as const;
    expect(told({ ...base, change: { ...change, optOut: true } })).toEqual(['message.opt_out']);
    expect(told({ ...base, change: { ...change, reason: 'elsewhere', optOut: true } })).toEqual([]);
    expect(told({ ...base, change: { ...change, optOut: false } })).toEqual([]);
    expect(told({ ...base, change: { ...change, optOut: null, mode } })).toEqual([]);
    expect(told(base)).toEqual([]);
  });
});
