import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { aConversation, anInbound, anOpening, aSend, BY, DELIVERY_ID, NOW, SOMEBODY } from './support.ts';
import {
  applyEvent,
  sequenceEvents,
  type ConversationEvent,
  type NewConversationEvent,
  fromLogRow,
  toLogRow,
} from '../../../src/domain/conversation/events.ts';
import { address } from '../../../src/domain/addresses.ts';
import { decideReceive } from '../../../src/domain/conversation/decide-inbound.ts';
import {
  decideClose,
  decideDelete,
  decideUpdate,
  decideLifecycle,
  nextLifecycleAt,
} from '../../../src/domain/conversation/decide-change.ts';
import { decideDeleteMessage, decideDeliveryNews } from '../../../src/domain/conversation/decide-message.ts';
import { decideSend } from '../../../src/domain/conversation/decide-send.ts';
import type { ConversationState, Message } from '../../../src/domain/conversation/state.ts';

const events = (
  result: { ok: true; value: NewConversationEvent[] } | { ok: false; error: { code: string } },
): NewConversationEvent[] => {
  if (!result.ok) throw new Error(result.error.code);
  return result.value;
};
const types = (result: Parameters<typeof events>[0]) => events(result).map(({ type }) => type);
const messageIn = (list: NewConversationEvent[]): Message => {
  const found = list.find((event) => 'message' in event);
  if (!found || !('message' in found)) throw new Error('no message');
  return found.message;
};
const sent = () => messageIn(events(decideSend(aConversation(), aSend(), [], NOW)));

describe('an inbound item', () => {
  test('opens the conversation with the first message, and only then', () => {
    expect(types(decideReceive(null, anOpening(), anInbound(), [], NOW))).toEqual([
      'conversation.created',
      'message.created',
    ]);
    expect(types(decideReceive(aConversation(), anOpening(), anInbound(), [], NOW))).toEqual(['message.created']);
  });

  test('is refused by a conversation that is over', () => {
    for (const over of [aConversation({ lifecycle: 'closed' }), aConversation({ deletedAt: NOW })]) {
      expect(decideReceive(over, anOpening(), anInbound(), [], NOW)).toEqual({
        ok: false,
        error: { code: 'CONVERSATION_CLOSED' },
      });
    }
  });

  test('wakes an idle conversation, and says so before the message', () => {
    const idle = aConversation({ lifecycle: 'idle' });
    const [updated] = events(decideReceive(idle, anOpening(), anInbound(), [], NOW));
    expect(updated).toMatchObject({ type: 'conversation.updated', conversation: { lifecycle: 'active' } });
  });

  test('by another account of the same number makes that the account for answers', () => {
    const moved = anOpening({ accountId: '99999999-9999-4999-8999-999999999999' });
    const [updated] = events(decideReceive(aConversation(), moved, anInbound(), [], NOW));
    expect(updated).toMatchObject({ type: 'conversation.updated', conversation: { accountId: moved.accountId } });
  });

  test('that takes a message back empties it, once, even where the conversation is over', () => {
    const item = { kind: 'redaction' as const, dedupeKey: 'x', targetKey: 'y' };
    const closed = aConversation({ lifecycle: 'closed' });
    const [deleted] = events(decideReceive(closed, anOpening(), item, [sent()], NOW));
    expect(deleted).toMatchObject({ type: 'message.deleted', message: { text: '', medias: [], deletedAt: NOW } });
    expect(types(decideReceive(closed, anOpening(), item, [{ ...sent(), deletedAt: NOW }], NOW))).toEqual([]);
    expect(types(decideReceive(null, anOpening(), item, [], NOW))).toEqual([]);
  });

  test('about reachability is an event only when it changes', () => {
    const follow = { kind: 'reachability' as const, dedupeKey: 'x', reachable: true, replyToken: null };
    expect(types(decideReceive(null, anOpening(), follow, [], NOW))).toEqual(['conversation.created']);
    expect(types(decideReceive(aConversation(), anOpening(), follow, [], NOW))).toEqual([]);
    const leave = { ...follow, reachable: false };
    expect(types(decideReceive(null, anOpening(), leave, [], NOW))).toEqual([]);
    expect(types(decideReceive(aConversation({ lifecycle: 'closed' }), anOpening(), leave, [], NOW))).toEqual([]);
    expect(types(decideReceive(aConversation(), anOpening(), leave, [], NOW))).toEqual(['conversation.updated']);
  });
});

describe('a send', () => {
  test('is refused by a closed conversation', () => {
    expect(decideSend(aConversation({ lifecycle: 'closed' }), aSend(), [], NOW)).toMatchObject({
      ok: false,
      error: { code: 'CONVERSATION_CLOSED' },
    });
  });

  test('with If-Match is refused when there are messages that the sender has not seen, and gets them', () => {
    const unseen = [sent()];
    const refused = decideSend(aConversation({ sequence: 9 }), aSend({ expectedSequence: 3 }), unseen, NOW);
    expect(refused).toEqual({ ok: false, error: { code: 'SEQUENCE_MISMATCH', sequence: 9, unseen } });
    expect(decideSend(aConversation(), aSend({ expectedSequence: 1 }), [], NOW).ok).toBe(true);
  });

  test('is 422 to who opted out, and one member’s word opts no group out', () => {
    const optOutAfter = (peer: string, text: string) => {
      const opening = anOpening({ peer: address('line', peer) });
      const state = aConversation({ peer: opening.peer });
      const received = events(decideReceive(state, opening, anInbound({ senderId: 'U1', text }), [], NOW));
      return received.some((event) => 'change' in event && event.change?.optOut === true);
    };
    expect([optOutAfter('U1', 'stop'), optOutAfter('C9', 'stop'), optOutAfter('U1', 'stop it')]).toEqual([
      true,
      false,
      false,
    ]);
    expect(decideSend(aConversation({ optOut: true }), aSend(), [], NOW)).toMatchObject({
      ok: false,
      error: { code: 'CONTACT_OPTED_OUT' },
    });
  });

  test('of a person takes the conversation over, and so does an access key’s that says so; another one does not', () => {
    const agent = aSend({ actor: { type: 'agent', id: 'a' } });
    expect(types(decideSend(aConversation(), agent, [], NOW))).toEqual(['conversation.updated', 'message.created']);
    const taken = decideSend(aConversation(), aSend({ takeover: true }), [], NOW);
    expect(types(taken)).toEqual(['conversation.updated', 'message.created']);
    expect(types(decideSend(aConversation({ aiMode: 'human' }), agent, [], NOW))).toEqual(['message.created']);
    expect(types(decideSend(aConversation(), aSend(), [], NOW))).toEqual(['message.created']);
  });
});

describe('news of a delivery', () => {
  const news = (status: 'sent' | 'delivered' | 'failed') => ({ status, error: { code: '1', text: 'x' } });

  test('is told once; a late or repeated receipt is no event', () => {
    const message = sent();
    const [first] = decideDeliveryNews(message, DELIVERY_ID, news('delivered'), NOW);
    expect(first).toMatchObject({
      type: 'message.updated',
      becameDone: true,
      message: { deliveries: [{ status: 'delivered', error: null }] },
    });
    const delivered = messageIn(first ? [first] : []);
    expect(decideDeliveryNews(delivered, DELIVERY_ID, news('sent'), NOW)).toEqual([]);
    expect(decideDeliveryNews(delivered, DELIVERY_ID, news('failed'), NOW)).toEqual([]);
  });

  test('of another try is told with its error, once, and forgotten when the message gets through', () => {
    const retry = { status: 'sending' as const, attempts: 1, error: { code: '429', text: 'slow' } };
    const [tried] = decideDeliveryNews(sent(), DELIVERY_ID, retry, NOW);
    expect(tried).toMatchObject({
      message: { deliveries: [{ status: 'sending', attempts: 1, error: { code: '429' } }] },
    });
    const message = messageIn(tried ? [tried] : []);
    expect(decideDeliveryNews(message, DELIVERY_ID, retry, NOW)).toEqual([]);
    const [done] = decideDeliveryNews(message, DELIVERY_ID, { status: 'sent', attempts: 2 }, NOW);
    expect(done).toMatchObject({
      becameDone: true,
      message: { deliveries: [{ status: 'sent', attempts: 2, error: null }] },
    });
  });

  test('keeps the provider’s error on a failed delivery', () => {
    const [failed] = decideDeliveryNews(sent(), DELIVERY_ID, news('failed'), NOW);
    expect(failed).toMatchObject({
      becameDone: false,
      message: { deliveries: [{ status: 'failed', error: { code: '1', text: 'x' } }] },
    });
  });

  test('says `became done` exactly once, whatever the order of receipts', () => {
    const status = fc.constantFrom('sending', 'sent', 'delivered', 'read', 'failed' as const);
    fc.assert(
      fc.property(fc.array(status, { maxLength: 12 }), (receipts) => {
        let message = sent();
        let done = 0;
        for (const each of receipts) {
          for (const event of decideDeliveryNews(message, DELIVERY_ID, { status: each }, NOW)) {
            if (!('message' in event)) continue;
            message = event.message;
            done += event.becameDone ? 1 : 0;
          }
        }
        const got = receipts.some((each) => each === 'sent' || each === 'delivered' || each === 'read');
        const failedFirst =
          receipts.indexOf('failed') !== -1 && !receipts.some((each) => each === 'delivered' || each === 'read');
        expect(done).toBeLessThanOrEqual(2);
        if (got && !failedFirst) expect(done).toBeGreaterThanOrEqual(1);
        if (!got) expect(done).toBe(0);
      }),
    );
  });
});

describe('a change', () => {
  test('that changes nothing is no event', () => {
    const state = aConversation({ name: 'n', tags: ['a'] });
    expect(
      types(
        decideUpdate(
          state,
          { customerId: '', actor: SOMEBODY, name: 'n', tags: ['a'], ownerId: null, aiMode: 'ai' },
          NOW,
        ),
      ),
    ).toEqual([]);
  });

  test('of owner is a takeover, and giving it back returns it to automation', () => {
    const [assigned] = events(decideUpdate(aConversation(), { customerId: '', actor: SOMEBODY, ownerId: 'a' }, NOW));
    expect(assigned).toMatchObject({ conversation: { ownerId: 'a', aiMode: 'human', modeEpoch: 1 } });
    const owned = assigned && 'conversation' in assigned ? assigned.conversation : aConversation();
    const [released] = events(decideUpdate(owned, { customerId: '', actor: SOMEBODY, ownerId: null }, NOW));
    expect(released).toMatchObject({ conversation: { ownerId: null, aiMode: 'ai', modeEpoch: 2 } });
  });

  test('to closed keeps what else it names', () => {
    const [closed] = events(
      decideUpdate(
        aConversation(),
        { customerId: '', actor: SOMEBODY, aiMode: 'closed', ownerId: 'a', tags: ['won'] },
        NOW,
      ),
    );
    expect(closed).toMatchObject({
      type: 'conversation.closed',
      conversation: { tags: ['won'], ownerId: 'a', aiMode: 'closed' },
    });
  });

  test('to closed is terminal', () => {
    const [closed] = events(decideUpdate(aConversation(), { customerId: '', actor: SOMEBODY, aiMode: 'closed' }, NOW));
    expect(closed).toMatchObject({
      type: 'conversation.closed',
      conversation: { lifecycle: 'closed', aiMode: 'closed' },
    });
    const over = aConversation({ lifecycle: 'closed', aiMode: 'closed' });
    expect(decideUpdate(over, { customerId: '', actor: SOMEBODY, aiMode: 'ai' }, NOW)).toMatchObject({ ok: false });
    expect(decideClose(over, BY, NOW)).toEqual([]);
  });
});

describe('time', () => {
  const settings = { idleMs: 1000, closeMs: 5000, publicUrl: '' };
  const start = NOW / 1000;

  test('makes a silent conversation idle, then closed', () => {
    const state = aConversation();
    expect(nextLifecycleAt(state, settings)).toBe(start + 1000);
    expect(decideLifecycle(state, settings, start + 999, NOW)).toEqual([]);
    expect(decideLifecycle(state, settings, start + 1000, NOW)).toMatchObject([
      { conversation: { lifecycle: 'idle' } },
    ]);
    expect(decideLifecycle(aConversation({ lifecycle: 'idle' }), settings, start + 5000, NOW)).toMatchObject([
      { type: 'conversation.closed' },
    ]);
    expect(nextLifecycleAt(aConversation({ lifecycle: 'closed' }), settings)).toBeNull();
  });

  test('closes at once what was silent long enough for both', () => {
    expect(decideLifecycle(aConversation(), settings, start + 9000, NOW)).toMatchObject([
      { type: 'conversation.closed' },
    ]);
  });
});

describe('the log', () => {
  const command = fc.constantFrom('receive', 'send', 'rename', 'assign', 'release', 'idle', 'close', 'delete' as const);

  const decided = (
    state: ConversationState | null,
    name: string,
    index: number,
    at: number,
  ): NewConversationEvent[] => {
    if (name === 'receive' || !state) {
      const result = decideReceive(state, anOpening(), anInbound({ messageId: `m${index}` }), [], at);
      return result.ok ? result.value : [];
    }
    if (name === 'delete') return state.deletedAt === null ? decideDelete(state, at) : [];
    if (name === 'close') return decideClose(state, BY, at);
    if (name === 'idle') return decideLifecycle(state, { idleMs: 0, closeMs: 1e12, publicUrl: '' }, at, at);
    if (name === 'send') {
      const result = decideSend(state, aSend({ messageId: `m${index}` }), [], at);
      return result.ok ? result.value : [];
    }
    const changes = { rename: { name: `n${index}` }, assign: { ownerId: 'a' }, release: { ownerId: null } }[name] ?? {};
    const result = decideUpdate(state, { customerId: '', actor: SOMEBODY, ...changes }, at);
    return result.ok ? result.value : [];
  };

  test('is dense, and replayed from nothing it gives the state, for every run of commands', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        let state: ConversationState | null = null;
        const log: ConversationEvent[] = [];
        const messages = new Map<string, Message>();
        commands.forEach((name, index) => {
          const at = NOW + index;
          const placed = sequenceEvents(decided(state, name, index, at), state?.sequence ?? 0, at);
          for (const event of placed) {
            log.push(event);
            state = applyEvent(state, event);
            if ('message' in event) messages.set(event.message.id, event.message);
          }
        });
        expect(log.map(({ sequence }) => sequence)).toEqual(log.map((_, index) => index + 1));
        const rows = log.map(toLogRow);
        const read = rows.map((row) =>
          fromLogRow(row, row.messageId === null ? null : (messages.get(row.messageId) ?? null)),
        );
        expect(read).toEqual(
          log.map((event) =>
            'message' in event
              ? event
              : { ...event, conversation: { ...event.conversation, sequence: event.sequence } },
          ),
        );
        expect(read.reduce<ConversationState | null>(applyEvent, null)).toEqual(state);
      }),
    );
  });

  test('holds no content of a message: a deleted text is gone from every replay', () => {
    const message = { ...sent(), text: 'a secret', sequence: 1 };
    const row = toLogRow({ type: 'message.created', message, becameDone: false, sequence: 1, at: NOW });
    expect(JSON.stringify(row)).not.toContain('a secret');
    const [deleted] = decideDeleteMessage(message, NOW + 1);
    const emptied = deleted && 'message' in deleted ? deleted.message : message;
    expect(fromLogRow(row, emptied)).toMatchObject({ message: { text: '', deletedAt: null } });
  });
});
