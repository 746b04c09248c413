import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'csv-parse/sync';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import * as seed from '../fixtures/seed-003.ts';
import { launchChromium } from '../support/chromium.ts';
import { eventually, type Json, ok } from '../support/http.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { readId } from '../../src/dialects/voicebip/ids.ts';

/** Seed 003 as a customer would use it: its JavaScript in a browser on another origin, and a client made from its text. */
const CLIENT = join(import.meta.dirname, '..', 'fixtures', 'voicebip-client.mjs');

let server: TestServer;
let browser: Browser;
let pages: Server;
let agentId: string;

beforeAll(async () => {
  pages = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<!doctype html>'));
  pages.listen(0, '127.0.0.1');
  [server, browser] = await Promise.all([startServer(), launchChromium(), once(pages, 'listening')]);
  const agent = await ok(server.call('POST', '/v1/agents', { name: 'Ada', webhook_url: 'http://127.0.0.1:1/byom' }));
  agentId = agent.agent_id;
  await ok(
    server.call('PUT', `/v1.0/conversation_accounts/${server.sandboxAccount}`, {
      assistant_id: readId('agt', agentId),
    }),
  );
});

afterAll(async () => {
  await Promise.all([browser?.close(), server?.dispose()]);
  pages?.closeAllConnections();
  pages?.close();
});

const write = (from: string, text: string): Promise<Json> =>
  ok(server.call('POST', '/v1.0/sandbox/inbound', { account_id: server.sandboxAccount, from, text }));

const listed = (contact: string): Promise<Json> =>
  eventually(async () => {
    const { conversations } = await ok(server.call('GET', '/v1/conversations'));
    const found = conversations.find(({ to_number }: Json) => to_number === contact);
    if (!found) throw new Error('not in the list yet');
    return found;
  });

it('tells the seed’s own script, in a browser on another origin, of messages and of the mode', async () => {
  const contact = '+15557660001';
  await write(contact, 'hello');
  const { conversation_id: id } = await listed(contact);
  const bound = pages.address();
  if (bound === null || typeof bound === 'string') throw new Error('the pages have no port');
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${bound.port}/`);
  const variables = `const conversationId = '${id}'; const apiKey = '${server.accessKey}'; var seen = [], opened = false;`;
  // Beside its own handler, which keeps nothing.
  const ear = `es.addEventListener('message', ({ data }) => seen.push(JSON.parse(data))); es.onopen = () => (opened = true);`;
  await page.addScriptTag({ content: `${variables}${seed.stream.replace('BASE', server.url)}${ear}` });
  await page.waitForFunction('opened');

  await write(contact, 'are you there?');
  await ok(server.call('PATCH', `/v1/conversations/${id}`, { ai_mode: 'human' }));
  await ok(server.call('PATCH', `/v1/conversations/${id}`, { ai_mode: 'human' }));
  await ok(server.call('POST', `/v1.0/conversations/${readId('conv', id)}/messages`, { text: 'here I am' }));
  await page.waitForFunction('seen.some((event) => event.event_type === "message.sent")');
  const seen = await page.evaluate<Json[]>('seen');
  expect(seen.map((event) => [event.event_type, event.payload.text ?? event.payload.to_mode])).toEqual([
    ['message.received', 'are you there?'],
    ['conversation.mode_changed', 'human'],
    ['message.sent', 'here I am'],
  ]);
  for (const event of seen) {
    expect(event).toMatchObject({ conversation_id: id, timestamp: expect.stringMatching(/^\d{4}-.*T.*Z$/) });
  }
  await page.close();
});

it('serves a single-file client that was written from the seed’s text alone', async () => {
  const contact = '+15557660002';
  for (const other of ['+15557660003', '+15557660004', '+15557660005']) await write(other, 'I am another');
  await write(contact, 'hello');
  await listed(contact);
  const { stdout } = await promisify(execFile)(process.execPath, [
    CLIENT,
    server.url,
    server.accessKey,
    agentId,
    contact,
  ]);
  const saw: Json = JSON.parse(stdout);
  expect(new Set(saw.conversations.map((row: Json) => row.conversation_id)).size).toBe(saw.conversations.length);
  expect(saw.before).toMatchObject({ ai_mode: 'ai', messages: [{ body: 'hello', direction: 'inbound' }] });
  expect([saw.taken.changed, saw.again.changed, saw.back.changed, saw.closed.changed]).toEqual([
    true,
    false,
    true,
    true,
  ]);
  expect(saw.modeChanged.payload).toMatchObject({ from_mode: 'ai', to_mode: 'human' });
  expect(saw.told.payload).toMatchObject({ message_id: saw.sent.message_id, text: 'A person here.' });
  expect(saw.sent.conversation_id).toBe(saw.before.conversation_id);
  expect(saw.after).toMatchObject({ ai_mode: 'closed', messages: [{ body: 'A person here.' }, { body: 'hello' }] });
  const rows: Json[] = parse(saw.csv, { columns: true });
  expect(rows.map((row) => row.conversation_id)).toEqual(saw.conversations.map((row: Json) => row.conversation_id));
});
