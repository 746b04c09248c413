import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { presentConversation } from '../../../src/dialects/voicebip/conversation.ts';
import { presentExported } from '../../../src/dialects/voicebip/export.ts';
import { readId, writeId } from '../../../src/dialects/voicebip/ids.ts';
import { presentStreamFrame } from '../../../src/dialects/voicebip/stream.ts';
import type { ConversationEvent } from '../../../src/domain/conversation/events.ts';
import { newDelivery, newMessage } from '../../../src/domain/conversation/decide-message.ts';
import type { Delivery, Message } from '../../../src/domain/conversation/state.ts';
import { NIL_UUID } from '../../../src/domain/ids.ts';
import { microsOf } from '../../../src/domain/time.ts';
import { aConversation } from '../domain/support.ts';

const UUID = '0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b';

describe('an id', () => {
  test('comes back as the UUID that it was made of, under its own kind only', () => {
    fc.assert(
      fc.property(fc.uuid(), (uuid) => {
        const id = writeId('conv', uuid);
        expect(id).toMatch(/^conv_[1-9A-HJ-NP-Za-km-z]{1,22}$/);
        expect(readId('conv', id)).toBe(uuid);
        expect(readId('agt', id)).toBeNull();
      }),
    );
  });

  test('has one spelling: with a leading zero, beyond 128 bits, or in another alphabet it is none', () => {
    const id = writeId('conv', UUID);
    const others = [
      id.replace('conv_', 'conv_1'),
      `conv_${'z'.repeat(22)}`,
      'conv_0OIl',
      'conv_',
      id.toUpperCase(),
      ` ${id}`,
      UUID,
      // The nil UUID is nobody's, and stands for "no assistant" inside.
      'conv_1',
      writeId('conv', NIL_UUID),
      '',
    ];
    for (const other of others) expect(readId('conv', other), other).toBeNull();
  });
});

describe('updated_at', () => {
  const [changed, wrote] = ['2026-05-15T14:32:01Z', '2026-05-15T15:00:00Z'];
  const at = (iso: string) => microsOf(Date.parse(iso));

  test.each([
    ['of its last message', changed, wrote],
    ['of its last change', wrote, changed],
  ])('of a conversation is the time %s where that is the later one', (_, updated, lastMessage) => {
    const state = aConversation({ updatedAt: at(updated), lastMessageAt: at(lastMessage) });
    expect(presentConversation(state, null)).toMatchObject({ updated_at: wrote, last_message_at: lastMessage });
    expect(presentExported(state, UUID)).toMatchObject({ updated_at: wrote });
  });

  test('of one without messages is that of its last change', () => {
    const state = aConversation({ updatedAt: at(changed), lastMessageAt: null });
    expect(presentConversation(state, null)).toMatchObject({ updated_at: changed, last_message_at: null });
  });
});

const AT = microsOf(Date.parse('2026-05-15T14:32:01.123Z'));
const conversation = aConversation({ id: UUID, updatedAt: AT });

const messageEvent = (
  type: 'message.created' | 'message.updated' | 'message.deleted',
  direction: Message['direction'],
  status?: Delivery['status'],
): ConversationEvent => {
  const { self, peer } = conversation;
  const delivery = newDelivery(conversation, UUID, null, AT);
  const message: Message = {
    ...newMessage(conversation, { messageId: UUID, text: 'hello', medias: [] }, AT),
    direction,
    source: direction === 'incoming' ? peer : self,
    destination: direction === 'incoming' ? self : peer,
    sender: { type: 'contact', id: '', name: '' },
    deliveries: status === undefined ? [] : [{ ...delivery, status }],
  };
  return { type, message, becameDone: false, sequence: 3, at: AT };
};

describe('the stream', () => {
  test.each(['sent', 'delivered', 'read', 'failed'] as const)('tells that a message is %s', (status) => {
    expect(presentStreamFrame(messageEvent('message.updated', 'outgoing', status))).toEqual({
      type: 'event',
      sequence: 3,
      data: {
        event_type: `message.${status}`,
        conversation_id: writeId('conv', UUID),
        timestamp: '2026-05-15T14:32:01Z',
        payload: {
          message_id: writeId('msg', UUID),
          direction: 'outbound',
          channel: 'sms',
          text: 'hello',
          status,
        },
      },
    });
  });

  test('tells once that one was received, and of none that waits, is tried again or is deleted', () => {
    const received = messageEvent('message.created', 'incoming');
    expect(presentStreamFrame(received)).toMatchObject({ data: { event_type: 'message.received' } });
    const quiet = [
      messageEvent('message.updated', 'incoming'),
      messageEvent('message.created', 'outgoing', 'queued'),
      messageEvent('message.updated', 'outgoing', 'sending'),
      messageEvent('message.deleted', 'outgoing', 'sent'),
      messageEvent('message.deleted', 'incoming'),
      { type: 'conversation.created', conversation, change: null, sequence: 3, at: AT } as const,
    ];
    for (const event of quiet) expect(presentStreamFrame(event)).toEqual({ type: 'skip', sequence: 3 });
  });

  test.each(['conversation.updated', 'conversation.closed'] as const)('tells of a change of mode in %s', (type) => {
    const change = {
      actor: { type: 'accesskey', id: UUID },
      reason: 'request',
      mode: { from: 'ai', to: 'human' },
      owner: null,
      optOut: null,
    } as const;
    const event = { type, conversation, change, sequence: 3, at: AT };
    expect(presentStreamFrame(event)).toEqual({
      type: 'event',
      sequence: 3,
      data: {
        event_type: 'conversation.mode_changed',
        conversation_id: writeId('conv', UUID),
        timestamp: '2026-05-15T14:32:01Z',
        payload: { from_mode: 'ai', to_mode: 'human', actor_user_id: UUID },
      },
    });
    const quiet = { ...event, change: { ...change, mode: null } };
    expect(presentStreamFrame(quiet)).toEqual({ type: 'skip', sequence: 3 });
  });
});
