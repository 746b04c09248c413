import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NOW } from './support.ts';
import type { Refusal } from '../../../src/domain/errors.ts';
import type { Result } from '../../../src/domain/result.ts';
import {
  applyEvent,
  sequenceEvents,
  type NewTalkEvent,
  type TalkEvent,
  fromLogRow,
  toLogRow,
} from '../../../src/domain/talk/events.ts';
import type { Newcomer, TalkActor } from '../../../src/domain/talk/commands.ts';
import { decideDeleteMessage, decideEdit, decideSend, mentionsIn } from '../../../src/domain/talk/decide-message.ts';
import { decideJoin, decideLeave, decideRead } from '../../../src/domain/talk/decide-participants.ts';
import { decideReact, decideUnreact } from '../../../src/domain/talk/decide-reaction.ts';
import {
  decideClose,
  decideDelete,
  decideOpen,
  decideReopen,
  decideUpdate,
} from '../../../src/domain/talk/decide-talk.ts';
import { messageIdAt, sequenceIn, talkKey } from '../../../src/domain/talk/ids.ts';
import type { Talk, TalkMessage, TalkType } from '../../../src/domain/talk/state.ts';

const CUSTOMER = '22222222-2222-4222-8222-222222222222';
const TALK = '11111111-1111-4111-8111-111111111111';
const AGENTS = ['a', 'b', 'c'] as const;

/** A talk as its object keeps it: everything decided is placed, logged and applied. */
class Model {
  talk: Talk | null = null;
  readonly log: TalkEvent[] = [];
  readonly messages = new Map<string, TalkMessage>();
  #ids = 0;

  id = (): string => `id-${(this.#ids += 1)}`;
  actor = (agentId: string, isAdmin = false): TalkActor => ({ customerId: CUSTOMER, agentId, isAdmin, talkId: null });
  newcomer = (agentId: string): Newcomer => ({
    agentId,
    name: `Agent ${agentId}`,
    username: `${agentId}@localhost`,
    participantId: this.id(),
  });

  open(type: TalkType, members: string[]): string {
    const command = {
      talkId: TALK,
      customerId: CUSTOMER,
      type,
      name: '',
      detail: '',
      members: members.map(this.newcomer),
    };
    return this.take((at) => decideOpen(this.talk, command, at));
  }

  /** The refusal's code, or an empty text. */
  take(decide: (at: number) => Result<NewTalkEvent[], Refusal>): string {
    const at = NOW + this.log.length + 1;
    const decided = decide(at);
    if (!decided.ok) return decided.error.code;
    for (const event of sequenceEvents(decided.value, this.talk?.state.sequence ?? 0, at)) {
      this.log.push(event);
      this.talk = applyEvent(this.talk, event);
      if ('message' in event) this.messages.set(event.message.id, event.message);
    }
    return '';
  }

  say = (agentId: string, text = 'hello', parentId: string | null = null): string =>
    this.take((at) => {
      const command = { text, medias: [], parentId, clientId: '' };
      return decideSend(this.talk, this.actor(agentId), command, parentId !== null && this.messages.has(parentId), at);
    });
  join = (by: string, agentId: string): string =>
    this.take((at) => decideJoin(this.talk, this.actor(by), this.newcomer(agentId), at));
  leave = (by: string, agentId: string): string => {
    const id = this.talk?.participants.get(agentId)?.id ?? 'nobody';
    return this.take((at) => decideLeave(this.talk, this.actor(by), id, at));
  };
  react = (by: string, id: string, emoji: string): string =>
    this.take((at) => decideReact(this.talk, this.actor(by), this.messages.get(id) ?? null, emoji, at));
  unreact = (by: string, id: string, emoji: string): string =>
    this.take((at) => decideUnreact(this.talk, this.actor(by), this.messages.get(id) ?? null, emoji, at));
  edit = (by: string, id: string, text: string): string =>
    this.take((at) => decideEdit(this.talk, this.actor(by), this.messages.get(id) ?? null, { text }, at));
  erase = (by: string, id: string, isAdmin = false): string =>
    this.take((at) => decideDeleteMessage(this.talk, this.actor(by, isAdmin), this.messages.get(id) ?? null, at));
  lastMessage = (): TalkMessage => {
    const last = [...this.messages.values()].at(-1);
    if (!last) throw new Error('no message');
    return last;
  };
}

const opened = (type: TalkType = 'group', members: string[] = ['a', 'b']): Model => {
  const model = new Model();
  model.open(type, members);
  return model;
};
const types = ({ log }: Model): string[] => log.map(({ type }) => type);

describe('opening', () => {
  test('tells of the talk and of its first participants, without system messages', () => {
    expect(types(opened())).toEqual(['talk.created', 'talk.participant_joined', 'talk.participant_joined']);
  });

  test('again, by its own id, changes nothing; for a pair it brings back who has left', () => {
    const model = opened('normal');
    model.open('normal', ['a', 'b']);
    expect(model.log).toHaveLength(3);
    model.leave('b', 'b');
    model.leave('a', 'a');
    expect(model.talk?.state.lifecycle).toBe('closed');
    model.open('normal', ['b', 'a']);
    expect(types(model).slice(-5)).toEqual([
      'talk.reopened',
      'talk.participant_joined',
      'talk.message_created',
      'talk.participant_joined',
      'talk.message_created',
    ]);
    expect(model.open('normal', ['a', 'c'])).toBe('TALK_NOT_FOUND');
    expect(model.talk?.state).toMatchObject({ pair: ['a', 'b'], memberCount: 2, lifecycle: 'active' });
  });
});

describe('a 1:1 talk', () => {
  test('takes a second participant and never a third, also when one has left', () => {
    const model = opened('normal', ['a']);
    expect(model.join('a', 'b')).toBe('');
    expect(model.join('a', 'c')).toBe('INVALID_FIELD');
    model.leave('b', 'b');
    expect(model.join('a', 'c')).toBe('INVALID_FIELD');
    expect(model.join('a', 'b')).toBe('');
  });
});

describe('who is not in a talk', () => {
  test('may do nothing in it, and a channel lets everybody in', () => {
    const [group, channel] = [opened('group', ['a']), opened('channel', ['a'])];
    for (const model of [group, channel]) {
      model.say('a');
      const { id } = model.lastMessage();
      expect(model.say('c')).toBe('PERMISSION_DENIED');
      expect(model.react('c', id, 'x')).toBe('PERMISSION_DENIED');
      expect(model.join('c', 'b')).toBe('PERMISSION_DENIED');
      expect(model.leave('c', 'a')).toBe('PERMISSION_DENIED');
      expect(model.take((at) => decideClose(model.talk, model.actor('c'), at))).toBe('PERMISSION_DENIED');
      expect(model.take((at) => decideDelete(model.talk, model.actor('c'), at))).toBe('PERMISSION_DENIED');
      expect(model.take((at) => decideUpdate(model.talk, model.actor('c'), { name: 'x' }, at))).toBe(
        'PERMISSION_DENIED',
      );
    }
    expect([group.join('c', 'c'), channel.join('c', 'c')]).toEqual(['PERMISSION_DENIED', '']);
  });

  test('of another customer finds nothing', () => {
    const model = opened('channel');
    const foreign = { customerId: 'other', agentId: 'a', isAdmin: true, talkId: null };
    model.say('a');
    expect(model.take((at) => decideClose(model.talk, foreign, at))).toBe('TALK_NOT_FOUND');
    expect(model.take((at) => decideReopen(model.talk, foreign, model.newcomer('a'), at))).toBe('TALK_NOT_FOUND');
    expect(model.take((at) => decideDeleteMessage(model.talk, foreign, model.lastMessage(), at))).toBe(
      'TALK_MESSAGE_NOT_FOUND',
    );
  });
});

test('a read position moves forward only, and not beyond the log', () => {
  const model = opened();
  model.say('a');
  const read = (sequence: number) => decideRead(model.talk, model.actor('b'), sequence);
  expect(read(4)).toMatchObject({ ok: true, value: { readSequence: 4 } });
  expect(read(0)).toMatchObject({ ok: true, value: { readSequence: 3 } });
  expect(read(5)).toMatchObject({ ok: false, error: { code: 'INVALID_FIELD', field: 'sequence' } });
});

test('a pair that has gone cannot be brought back by an administrator, a group can', () => {
  const [pair, group] = [opened('normal'), opened('group')];
  for (const model of [pair, group]) {
    model.leave('a', 'a');
    model.leave('b', 'b');
  }
  const reopen = (model: Model): string =>
    model.take((at) => decideReopen(model.talk, model.actor('c', true), model.newcomer('c'), at));
  expect([reopen(pair), reopen(group)]).toEqual(['TALK_NOT_FOUND', '']);
  expect([...(group.talk?.participants.keys() ?? [])]).toEqual(['c']);
});

describe('mentions', () => {
  const people = [
    { agentId: '1', name: 'Ann Lee', username: 'ann@x.example' },
    { agentId: '2', name: '박지민', username: 'jimin@x.example' },
    { agentId: '3', name: 'Ann', username: 'ann@y.example' },
  ];

  test.each([
    ['hello @jimin, are you there?', ['2']],
    ['@박지민 안녕하세요', ['2']],
    ['@박지민님', []],
    ['@Ann Lee and @ANN@Y.EXAMPLE', ['1', '3']],
    ['@ann', []],
    ['write to info@jimin', []],
    ['@@jimin', ['2']],
    ['no one', []],
  ])('%s', (text, named) => expect(mentionsIn(text, people)).toEqual(named));
});

test('a message’s id leads to its talk, and to its place there', () => {
  const talk = crypto.randomUUID();
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 48 - 1 }), (sequence) => {
      const id = messageIdAt(talk, sequence);
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect([talkKey(id), sequenceIn(id)]).toEqual([talkKey(talk), sequence]);
    }),
  );
});

type Step = (model: Model) => unknown;
const agent = fc.constantFrom(...AGENTS);
const pick = fc.nat(50);
const emoji = fc.constantFrom('👍', '🎉');
const nth = (model: Model, index: number): string =>
  [...model.messages.keys()][index % Math.max(model.messages.size, 1)] ?? 'none';

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(agent, fc.string()).map(
    ([by, text]): Step =>
      (model) =>
        model.say(by, text),
  ),
  fc.tuple(agent, pick).map(
    ([by, index]): Step =>
      (model) =>
        model.say(by, 'reply', nth(model, index)),
  ),
  fc.tuple(agent, agent).map(
    ([by, who]): Step =>
      (model) =>
        model.join(by, who),
  ),
  fc.tuple(agent, agent).map(
    ([by, who]): Step =>
      (model) =>
        model.leave(by, who),
  ),
  fc.tuple(agent, pick, emoji).map(
    ([by, index, what]): Step =>
      (model) =>
        model.react(by, nth(model, index), what),
  ),
  fc.tuple(agent, pick, emoji).map(
    ([by, index, what]): Step =>
      (model) =>
        model.unreact(by, nth(model, index), what),
  ),
  fc.tuple(agent, pick, fc.string()).map(
    ([by, index, text]): Step =>
      (model) =>
        model.edit(by, nth(model, index), text),
  ),
  fc.tuple(agent, pick, fc.boolean()).map(
    ([by, index, admin]): Step =>
      (model) =>
        model.erase(by, nth(model, index), admin),
  ),
  agent.map(
    (by): Step =>
      (model) =>
        model.take((at) => decideClose(model.talk, model.actor(by), at)),
  ),
  agent.map(
    (by): Step =>
      (model) =>
        model.take((at) => decideReopen(model.talk, model.actor(by), model.newcomer(by), at)),
  ),
);
const talkType = fc.constantFrom<TalkType>('normal', 'group', 'channel');
const steps = fc.array(step, { maxLength: 60 });

describe('whatever happens to a talk', () => {
  test('its log is dense and replays to the same talk, out of the rows that are stored', () => {
    fc.assert(
      fc.property(talkType, steps, (type, todo) => {
        const model = opened(type, ['a']);
        todo.forEach((run) => run(model));
        expect(model.log.map(({ sequence }) => sequence)).toEqual(model.log.map((_, index) => index + 1));
        const stored = model.log.map((event) => {
          const row = toLogRow(event);
          return fromLogRow(row, row.messageId === null ? null : (model.messages.get(row.messageId) ?? null));
        });
        expect(stored.reduce<Talk | null>(applyEvent, null)).toEqual(model.talk);
        // Only what a message says may be newer in a replay than it was live.
        const fixed = (events: TalkEvent[]) => events.filter((event) => !('message' in event));
        expect(fixed(stored)).toEqual(fixed(model.log));
      }),
    );
  });

  test('its members are those who joined and did not leave, a 1:1 talk has two, and an empty one is closed', () => {
    fc.assert(
      fc.property(talkType, steps, (type, todo) => {
        const model = opened(type, ['a']);
        todo.forEach((run) => run(model));
        const members = new Set<string>();
        const ever = new Set<string>();
        for (const event of model.log) {
          if (!('participant' in event)) continue;
          const joins = event.type === 'talk.participant_joined';
          expect(members.has(event.participant.agentId)).toBe(!joins);
          if (joins) members.add(event.participant.agentId);
          else members.delete(event.participant.agentId);
          ever.add(event.participant.agentId);
        }
        expect(new Set(model.talk?.participants.keys())).toEqual(members);
        expect(model.talk?.state.memberCount).toBe(members.size);
        if (type === 'normal') expect(ever.size).toBeLessThanOrEqual(2);
        if (members.size === 0) expect(model.talk?.state.lifecycle).toBe('closed');
      }),
    );
  });

  test('reactions are the set of what was added and not removed, and a deleted message says nothing', () => {
    fc.assert(
      fc.property(talkType, steps, (type, todo) => {
        const model = opened(type, ['a']);
        todo.forEach((run) => run(model));
        const expected = new Map<string, Set<string>>();
        for (const event of model.log) {
          if (!('reaction' in event)) continue;
          const set = expected.get(event.message.id) ?? new Set();
          const entry = `${event.reaction.emoji} ${event.reaction.agentId}`;
          expect(set.has(entry)).toBe(event.type === 'talk.reaction_removed');
          if (event.type === 'talk.reaction_added') set.add(entry);
          else set.delete(entry);
          expected.set(event.message.id, set);
        }
        for (const message of model.messages.values()) {
          const entries = message.reactions.map((each) => `${each.emoji} ${each.agentId}`);
          expect(new Set(entries)).toEqual(expected.get(message.id) ?? new Set());
          expect(new Set(entries).size).toBe(entries.length);
          if (message.deletedAt !== null) expect(message).toMatchObject({ text: '', medias: [], mentions: [] });
          if (message.type === 'system') expect(message).toMatchObject({ ownerId: null, editedAt: null });
        }
      }),
    );
  });
});
