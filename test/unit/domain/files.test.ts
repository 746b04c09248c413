import { describe, expect, test } from 'vitest';
import { aConversation, anInbound, anOpening, NOW } from './support.ts';
import { sequenceEvents, isMessageEvent, type ConversationEvent } from '../../../src/domain/conversation/events.ts';
import { media } from '../../../src/domain/content.ts';
import { decideReceive } from '../../../src/domain/conversation/decide-inbound.ts';
import { decideDeleteMessage } from '../../../src/domain/conversation/decide-message.ts';
import { nextFileAt, takeDue, withFileTasks } from '../../../src/domain/conversation/automation/automation.ts';
import { MINUTE } from '../../../src/domain/time.ts';

const said = (providerRef: string): ConversationEvent[] => {
  const item = anInbound({ medias: [media('image/png', { providerRef })] });
  const decided = decideReceive(aConversation(), anOpening(), item, [], NOW);
  return sequenceEvents(decided.ok ? decided.value : [], 1, NOW);
};

describe('copying files', () => {
  test('is wanted for what a contact sent and only a provider has, and for what was deleted', () => {
    const [task] = withFileTasks([], said('77'), 5);
    expect(task).toEqual({ messageId: anInbound().messageId, attempts: 0, dueAt: 5 });
    expect(withFileTasks([], said(''), 5)).toEqual([]);
    const [event] = said('77').filter(isMessageEvent);
    if (!event || !task) throw new Error('no message');
    const deleted = sequenceEvents(decideDeleteMessage(event.message, NOW + 1), 2, NOW + 1);
    expect(withFileTasks([{ ...task, attempts: 3, dueAt: 99 }], deleted, 7)).toEqual([{ ...task, dueAt: 7 }]);
  });

  test('is asked for until it is reported, ever more patiently, for about a day', () => {
    let tasks = withFileTasks([], said('77'), 0);
    const asked: number[] = [];
    for (let at = nextFileAt(tasks); at !== null; at = nextFileAt(tasks)) {
      expect(takeDue(tasks, at - 1)).toEqual({ due: [], tasks });
      const taken = takeDue(tasks, at);
      if (taken.due.length > 0) asked.push(at);
      tasks = taken.tasks;
    }
    expect(asked).toHaveLength(12);
    expect(asked.slice(0, 4)).toEqual([0, MINUTE, 3 * MINUTE, 7 * MINUTE]);
    expect(asked.at(-1)).toBeGreaterThan(12 * 60 * MINUTE);
  });
});
