import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { presentConversation } from '../../../src/dialects/voicebip/conversation.ts';
import { presentExported } from '../../../src/dialects/voicebip/export.ts';
import { readId, writeId } from '../../../src/dialects/voicebip/ids.ts';
import { presentStreamEvent } from '../../../src/dialects/voicebip/stream.ts';
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

const message = (direction: string, status?: string) => ({
  id: UUID,
  conversation_id: UUID,
  direction,
  reference_type: 'message',
  text: 'hello',
  tm_update: '2026-05-15 14:32:01.123456',
  deliveries: status === undefined ? [] : [{ status }],
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

describe('the stream', () => {
  test.each(['sent', 'delivered', 'read', 'failed'])('tells that a message is %s', (status) => {
    const data = message('outgoing', status);
    expect(presentStreamEvent({ type: 'conversation_message_updated', sequence: 3, data })).toEqual({
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
    });
  });

  test('tells once that one was received, and of none that waits or is tried again', () => {
    const received = { type: 'conversation_message_created', data: message('incoming') };
    expect(presentStreamEvent(received)).toMatchObject({ event_type: 'message.received' });
    const quiet = [
      { type: 'conversation_message_updated', data: message('incoming') },
      { type: 'conversation_message_created', data: message('outgoing', 'queued') },
      { type: 'conversation_message_updated', data: message('outgoing', 'sending') },
      { type: 'conversation_created', data: { id: UUID } },
      { type: 'caught_up', sequence: 3 },
      'nonsense',
      null,
    ];
    for (const frame of quiet) expect(presentStreamEvent(frame)).toBeNull();
  });

  test.each(['conversation_updated', 'conversation_closed'])('tells of a change of mode in %s', (type) => {
    const data = { id: UUID, tm_update: '2026-05-15 14:32:01.123456' };
    const actor = { type: 'accesskey', id: UUID };
    expect(presentStreamEvent({ type, data, change: { actor, from_mode: 'ai', to_mode: 'human' } })).toEqual({
      event_type: 'conversation.mode_changed',
      conversation_id: writeId('conv', UUID),
      timestamp: '2026-05-15T14:32:01Z',
      payload: { from_mode: 'ai', to_mode: 'human', actor_user_id: UUID },
    });
    expect(presentStreamEvent({ type, data, change: { actor, name: 'renamed' } })).toBeNull();
  });
});
