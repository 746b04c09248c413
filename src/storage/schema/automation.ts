import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import type { Action } from '../../domain/flow/action.ts';
import type { ActiveflowStatus, NextMove } from '../../domain/flow/progress.ts';
import type { Variables } from '../../domain/flow/variables.ts';
import { stamps } from './stamps.ts';

/** Who answers while no person does: assistants, flows, and what became of the flows that ran. */

export const assistants = sqliteTable(
  'assistants',
  {
    id: text('id').primaryKey(),
    customerId: text('customer_id').notNull(),
    name: text('name').notNull(),
    detail: text('detail').notNull(),
    webhookUrl: text('webhook_url').notNull(),
    secretSealed: text('secret_sealed').notNull(),
    debounceMs: integer('debounce_ms').notNull(),
    timeoutMs: integer('timeout_ms').notNull(),
    maxFailures: integer('max_failures').notNull(),
    /** The number of earlier messages in each request. */
    history: integer('history').notNull(),
    ...stamps,
  },
  (table) => [index('assistants_list').on(table.customerId, table.createdAt, table.id)],
);

export const flows = sqliteTable(
  'flows',
  {
    id: text('id').primaryKey(),
    customerId: text('customer_id').notNull(),
    name: text('name').notNull(),
    detail: text('detail').notNull(),
    fenced: integer('fenced', { mode: 'boolean' }).notNull(),
    actions: text('actions', { mode: 'json' }).$type<Action[]>().notNull(),
    ...stamps,
  },
  (table) => [index('flows_list').on(table.customerId, table.createdAt, table.id)],
);

/** One action that was run. */
export interface ExecutedAction {
  id: string;
  type: string;
  /** `done`, or the code of what went wrong. */
  outcome: string;
  at: number;
}

export const activeflows = sqliteTable(
  'activeflows',
  {
    /** Also the id of the Workflow that runs it. */
    id: text('id').primaryKey(),
    customerId: text('customer_id').notNull(),
    flowId: text('flow_id').notNull(),
    flowName: text('flow_name').notNull(),
    conversationId: text('conversation_id').notNull(),
    messageId: text('message_id').notNull(),
    fenced: integer('fenced', { mode: 'boolean' }).notNull(),
    /** The conversation's mode epoch in which it began; a fenced flow may send in no other. */
    epoch: integer('epoch').notNull(),
    status: text('status').$type<ActiveflowStatus>().notNull(),
    error: text('error').notNull(),
    /** The flow's actions as they were when it began: a flow that is edited does not change what runs. */
    actions: text('actions', { mode: 'json' }).$type<Action[]>().notNull(),
    /** The action that runs, comes next, or rests. */
    position: integer('position').notNull(),
    /** After a rest: the action that comes then. Null while none rests. */
    resumeAt: integer('resume_at'),
    /** How many actions have been run: what a repeated step of the Workflow finds done already. */
    steps: integer('steps').notNull(),
    /** What the last of them told the Workflow to do: a repeat is told the same. */
    next: text('next', { mode: 'json' }).$type<NextMove>().notNull(),
    /** Of the conversation. The message's own are read where it is, so that they go when it is deleted. */
    variables: text('variables', { mode: 'json' }).$type<Variables>().notNull(),
    executed: text('executed', { mode: 'json' }).$type<ExecutedAction[]>().notNull(),
    /** While running: when the next action should be over. Past it, the sweep wakes the Workflow. */
    dueMs: integer('due_ms').notNull(),
    ...stamps,
  },
  (table) => [
    index('activeflows_list').on(table.customerId, table.createdAt, table.id),
    index('activeflows_due').on(table.status, table.dueMs),
  ],
);
