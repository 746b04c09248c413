/**
 * D1: the customers' directory, and the history across conversations and talks. Times are microseconds unless the name says `_ms`.
 * The customer is the first column of every index that a list uses, so that no query can cross customers by accident.
 */
export * from './schema/automation.ts';
export * from './schema/directory.ts';
export * from './schema/history.ts';
export * from './schema/ephemeral.ts';
export * from './schema/webhooks.ts';
export * from './schema/contacts.ts';
