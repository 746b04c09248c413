import { runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, test } from 'vitest';
import { decideReceive, openConversation } from '../../src/domain/conversation/decide-inbound.ts';
import { decideSend } from '../../src/domain/conversation/decide-send.ts';
import type { NewConversationEvent } from '../../src/domain/conversation/events.ts';
import { ConversationAggregate, type Decision } from '../../src/objects/conversation/aggregate.ts';
import { anInbound, anOpening, aRecipient, aSend, SOMEBODY } from '../unit/domain/support.ts';

const SETTINGS = { idleMs: 60_000, closeMs: 120_000, publicUrl: '' };

/** An aggregate in a storage that nothing else opens as a conversation. */
const withAggregate = (check: (aggregate: ConversationAggregate, storage: DurableObjectStorage) => void) =>
  runInDurableObject(env.ADDRESS.getByName(crypto.randomUUID()), (_, { storage }) =>
    check(new ConversationAggregate(storage), storage),
  );

const created = (at: number): NewConversationEvent => ({
  type: 'conversation.created',
  conversation: openConversation(anOpening(), at),
  change: null,
});

/** A message with a send, under ids of its own. */
function sent(aggregate: ConversationAggregate, deliveryId: string = crypto.randomUUID()): Decision {
  const at = aggregate.now();
  const state = aggregate.conversation ?? openConversation(anOpening(), at);
  const decided = decideSend(
    state,
    aSend({ messageId: crypto.randomUUID(), recipients: [aRecipient(undefined, { deliveryId })] }),
    [],
    at,
  );
  return { at, events: decided.ok ? decided.value : [] };
}

function open(aggregate: ConversationAggregate): void {
  const at = aggregate.now();
  aggregate.commit({ at, events: [created(at)], record: { settings: SETTINGS } });
}

/** What is held in memory, beside what is stored. */
const memoryOf = ({ record, sends }: ConversationAggregate) => ({ record, sends: new Set(sends) });

describe('a conversation’s aggregate', () => {
  test('holds in memory exactly what it stores', () =>
    withAggregate((aggregate, storage) => {
      open(aggregate);
      aggregate.commit(sent(aggregate));
      aggregate.commit(sent(aggregate));
      const at = aggregate.now();
      const received = decideReceive(aggregate.conversation, anOpening(), anInbound(), [], at);
      expect(received.ok).toBe(true);
      const keys = [{ key: 'in:sandbox:1', messageId: anInbound().messageId, fingerprint: '', expiresAt: null }];
      const assistant = { id: crypto.randomUUID(), debounceMs: 1000 };
      const events = received.ok ? received.value : [];
      aggregate.commit({ at, events, answeredBy: { flow: null, assistant }, keys });
      const [first] = aggregate.sends;
      aggregate.commit({ dropSends: [first?.deliveryId ?? ''], record: { historyCursor: 2 } });
      expect(aggregate.sends).toHaveLength(1);
      expect(aggregate.record?.pending.turns).toMatchObject([
        { assistantId: assistant.id, from: aggregate.conversation?.sequence },
      ]);
      expect(memoryOf(aggregate)).toEqual(memoryOf(new ConversationAggregate(storage)));
    }));

  test('forgets what a failed commit would have changed, in memory and on the disk', () =>
    withAggregate((aggregate, storage) => {
      open(aggregate);
      const deliveryId = crypto.randomUUID();
      aggregate.commit(sent(aggregate, deliveryId));
      const before = memoryOf(aggregate);
      const rows = () => storage.sql.exec('SELECT count(*) AS count FROM log').one()['count'];
      const logged = rows();
      // A delivery's id is stored once: the second event fails after the record's part and the first event have been written.
      const failing = sent(aggregate);
      const repeated = sent(aggregate, deliveryId).events ?? [];
      expect(() =>
        aggregate.commit({ ...failing, events: [...(failing.events ?? []), ...repeated], dropSends: [deliveryId] }),
      ).toThrow();
      expect(memoryOf(aggregate)).toEqual(before);
      expect(memoryOf(new ConversationAggregate(storage))).toEqual(before);
      expect(rows()).toBe(logged);
      aggregate.commit(failing);
      expect(aggregate.sends).toHaveLength(2);
    }));

  test('whose first commit fails has stored nothing, and takes the next one', () =>
    withAggregate((aggregate, storage) => {
      const at = aggregate.now();
      expect(() => aggregate.commit({ at, events: [created(at)] })).toThrow('settings');
      expect(aggregate.record).toBeNull();
      expect(storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 'record'").toArray()).toEqual([]);
      open(aggregate);
      expect(aggregate.conversation).toMatchObject({ sequence: 1 });
    }));

  test('ends what a takeover forbids in the same commit', () =>
    withAggregate((aggregate, storage) => {
      open(aggregate);
      const fenced = sent(aggregate);
      const events = (fenced.events ?? []).map((event) =>
        event.type === 'message.created' ? { ...event, message: { ...event.message, fence: 0 } } : event,
      );
      aggregate.commit({ ...fenced, events });
      expect(aggregate.sends).toHaveLength(1);
      const before = aggregate.conversation;
      if (!before) throw new Error('it has been opened');
      const at = aggregate.now();
      const conversation = { ...before, aiMode: 'human' as const, modeEpoch: before.modeEpoch + 1 };
      const mode = { from: 'ai' as const, to: 'human' as const };
      const change = { actor: SOMEBODY, reason: 'request' as const, mode, owner: null, optOut: null };
      aggregate.commit({ at, events: [{ type: 'conversation.updated', conversation, change }] });
      expect(aggregate.sends).toEqual([]);
      const [failed] = aggregate.eventsAfter(before.sequence + 1, 1);
      expect(failed).toMatchObject({
        type: 'message.updated',
        message: { deliveries: [{ status: 'failed', error: { code: 'MODE_CHANGED' } }] },
      });
      expect(memoryOf(aggregate)).toEqual(memoryOf(new ConversationAggregate(storage)));
    }));
});
