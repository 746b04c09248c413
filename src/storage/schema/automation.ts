import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import type { Action } from '../../domain/flow/action.ts';
import type { ActiveflowStatus, NextMove } from '../../domain/flow/progress.ts';
import type { Variables } from '../../domain/flow/variables.ts';
import { stamps } from './stamps.ts';

/** Automation: assistants, flows, and activeflows, which are the runs of flows. */

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

/** One action that has run. */
export interface ExecutedAction {
  id: string;
  type: string;
  /** `done`, or an error code. */
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
    /** The mode epoch in which the flow started, or that its own last assignment began. A fenced flow may not send in any other. */
    epoch: integer('epoch').notNull(),
    status: text('status').$type<ActiveflowStatus>().notNull(),
    error: text('error').notNull(),
    /** A copy of the flow's actions at the start: editing a flow does not change its running activeflows. */
    actions: text('actions', { mode: 'json' }).$type<Action[]>().notNull(),
    /** The index of the action that runs, runs next, or sleeps. */
    position: integer('position').notNull(),
    /** While sleeping: the index of the action to continue with. Otherwise null. */
    resumeAt: integer('resume_at'),
    /** How many actions have run. From it a repeated Workflow step sees that its action is done already. */
    steps: integer('steps').notNull(),
    /** What the Workflow has to do after the last action. A repeated step returns it again. */
    next: text('next', { mode: 'json' }).$type<NextMove>().notNull(),
    /** The conversation's variables. The message's are read from the message, so that they disappear when it is deleted. */
    variables: text('variables', { mode: 'json' }).$type<Variables>().notNull(),
    executed: text('executed', { mode: 'json' }).$type<ExecutedAction[]>().notNull(),
    /** While running: the time by which the next action should be done. After it, the sweep wakes the Workflow. */
    dueMs: integer('due_ms').notNull(),
    ...stamps,
  },
  (table) => [
    index('activeflows_list').on(table.customerId, table.createdAt, table.id),
    index('activeflows_due').on(table.status, table.dueMs),
  ],
);
