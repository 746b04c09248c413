import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../support/chromium.ts';
import { type Call, eventually, everyRow, type Frame, isEvent, type Json, ok, openSse, upTo } from '../support/http.ts';
import { startServer, type TestServer } from '../support/server.ts';

/** "It shows": two real browsers in one talk, also while the server is restarted under them. */
const PAGE = readFileSync(join(import.meta.dirname, '..', 'fixtures', 'talk-page.html'));
/** Of each page in each half of its work; the crash comes when a few of them are there. */
const MESSAGES = 20;
const FEW = 5;
/** Said while the server is away. */
const INTO_THE_VOID = 5;
const BACK_MS = 60_000;

let server: TestServer;
let browser: Browser;
let pages: Server;
let pagesUrl: string;

beforeAll(async () => {
  pages = createServer((_, response) => response.setHeader('content-type', 'text/html').end(PAGE));
  pages.listen(0, '127.0.0.1');
  [server, browser] = await Promise.all([startServer(), launchChromium(), once(pages, 'listening')]);
  const bound = pages.address();
  if (bound === null || typeof bound === 'string') throw new Error('the pages have no port');
  pagesUrl = `http://127.0.0.1:${bound.port}`;
});

afterAll(async () => {
  await Promise.all([browser?.close(), server?.dispose()]);
  pages?.closeAllConnections();
  pages?.close();
});

interface Person {
  name: string;
  id: string;
  token: string;
  call: Call;
}

async function login(name: string): Promise<Person> {
  const username = `${name}@localhost`;
  const { token } = await ok(server.as(null)('POST', '/auth/login', { username, password: username }));
  const call = server.as(token);
  return { name, token, call, id: (await ok(call('GET', '/v1.0/me'))).id };
}

async function newTalk(by: Person, other: Person): Promise<string> {
  const body = { type: 'group', name: 'Night shift', participant_ids: [other.id] };
  return (await ok(by.call('POST', '/v1.0/service_agents/talk_chats', body))).id;
}

/** What the page's own script keeps (fixtures/talk-page.html). */
interface Kept {
  events: Frame[];
  complaints: string[];
  closes: number[];
  said: string[];
  waiting: number;
  resent: number;
  largestFrame: number;
  shown: string[];
}

interface Watcher {
  kept: () => Promise<Kept>;
  /** Calls a function of the page. */
  run: (call: string, ...args: (string | number)[]) => Promise<Json>;
  close: () => Promise<void>;
}

const KEPT = `({ events, complaints, closes, said, resent, largestFrame, waiting: outbox.size,
  shown: [...document.querySelectorAll('#events li')].map((line) => line.textContent) })`;

/** A page in a profile of its own, as on another computer. */
async function open({ name, token }: Person, talk: string, batch = ''): Promise<Watcher> {
  const context = await browser.newContext();
  const page: Page = await context.newPage();
  const hash = new URLSearchParams({ base: server.url, token, talk, who: name, batch });
  await page.goto(`${pagesUrl}/#${hash.toString()}`);
  return {
    kept: () => page.evaluate<Kept>(KEPT),
    run: (call, ...args) => page.evaluate<Json>(`${call}(${args.map((arg) => JSON.stringify(arg)).join(', ')})`),
    close: () => context.close(),
  };
}

const untilLast = (watcher: Watcher, sequence: number, patienceMs?: number): Promise<Kept> =>
  eventually(async () => {
    const kept = await watcher.kept();
    expect(kept.events.at(-1)?.sequence).toBe(sequence);
    return kept;
  }, patienceMs);

/** Each sees it before the next thing happens: an event's frame carries the message as it is when it is sent. */
async function allSee(watchers: Watcher[], sequence: number): Promise<string> {
  const seen = await Promise.all(watchers.map((watcher) => untilLast(watcher, sequence)));
  return seen[0]?.events.at(-1)?.data.id;
}

const linesOf = ({ events }: Kept): string[] =>
  events.map(({ sequence, type, data }) => `${sequence} ${type} ${data.reaction?.emoji ?? data.text ?? data.name}`);

/** What the page's person sees, is what the page has got. */
function expectSound(kept: Kept): void {
  expect(kept.complaints).toEqual([]);
  expect(kept.waiting).toBe(0);
  expect(kept.events.map(({ sequence }) => sequence)).toEqual(upTo(kept.events.length));
  expect(kept.shown).toEqual(linesOf(kept));
}

const participantOf = async (by: Person, talk: string, who: Person): Promise<string> => {
  const all: Json[] = await ok(by.call('GET', `/v1.0/service_agents/talk_chats/${talk}/participants`));
  return all.find(({ owner_id }) => owner_id === who.id)?.id;
};

/** The log as a newcomer gets it. */
async function replay(by: Person, talk: string): Promise<Frame[]> {
  const reader = await openSse(server.url, `/v1.0/service_agents/talk_chats/${talk}/stream?after=0`, by.token);
  await eventually(() => expect(reader.frames.at(-1)?.type).toBe('caught_up'));
  reader.close();
  return reader.frames.filter(isEvent);
}

/** Until the outbox is empty and both have the same: everything that anybody said. */
const untilSettled = (one: Watcher, two: Watcher, expected: (said: number) => number): Promise<[Kept, Kept]> =>
  eventually(async () => {
    const [first, second] = await Promise.all([one.kept(), two.kept()]);
    expect([first.waiting, second.waiting]).toEqual([0, 0]);
    const length = expected(first.said.length + second.said.length);
    expect([first.events.length, second.events.length]).toEqual([length, length]);
    return [first, second];
  }, BACK_MS);

describe('two browsers in one talk', () => {
  it.each([
    ['one frame an event', ''],
    ['frames that are arrays', '1'],
  ])('see each other’s messages, reactions, edits and joins in order: %s', async (_, batch) => {
    const [agent1, agent2, manager] = await Promise.all(['agent1', 'agent2', 'manager'].map(login));
    if (!agent1 || !agent2 || !manager) throw new Error('nobody is there');
    const talk = await newTalk(agent1, agent2);
    const path = `/v1.0/service_agents/talk_chats/${talk}/participants`;
    const [one, two] = await Promise.all([open(agent1, talk, batch), open(agent2, talk, batch)]);
    const both = [one, two];
    await allSee(both, 3);

    await one.run('say', 'Is anybody there?');
    const question = await allSee(both, 4);
    await two.run('say', 'Mee');
    const answer = await allSee(both, 5);
    await two.run('react', question, '👍');
    await allSee(both, 6);
    await two.run('unreact', question, '👍');
    await allSee(both, 7);
    await two.run('edit', answer, 'Me');
    await allSee(both, 8);
    await one.run('remove', question);
    await allSee(both, 9);
    await ok(agent1.call('POST', path, { owner_id: manager.id }));
    await allSee(both, 11);

    const expected = [
      '1 talk_created Night shift',
      '2 participant_joined Agent 1',
      '3 participant_joined Agent 2',
      '4 message_created Is anybody there?',
      '5 message_created Mee',
      '6 reaction_added 👍',
      '7 reaction_removed 👍',
      '8 message_updated Me',
      '9 message_deleted ',
      '10 participant_joined Manager',
      '11 message_created Manager joined the conversation.',
    ];
    const [first, second] = await untilSettled(one, two, () => 11);
    for (const kept of [first, second]) {
      expectSound(kept);
      expect(linesOf(kept)).toEqual(expected);
    }
    expect(first.events).toEqual(second.events);
    const reactions = first.events.slice(5, 7).map(({ data }) => data.metadata.reactions);
    expect(reactions).toEqual([[expect.objectContaining({ emoji: '👍', owner_id: agent2.id })], []]);
    expect(first.events.slice(5, 9).map(({ data }) => data.id)).toEqual([question, question, answer, question]);
    expect(first.events[10]?.data).toMatchObject({ type: 'system', owner_type: 'system' });
    // What stood in the log already came together, where the page asked for that.
    if (batch === '1') expect(first.largestFrame).toBeGreaterThan(1);

    await ok(agent1.call('DELETE', `${path}/${await participantOf(agent1, talk, agent2)}`));
    await eventually(async () => expect((await two.kept()).closes).toEqual([4001]));
    await one.run('say', 'Only us now');
    const after = await untilLast(one, 14);
    expect(linesOf(after)).toEqual([
      ...expected,
      '12 participant_left Agent 2',
      '13 message_created Agent 2 left the conversation.',
      '14 message_created Only us now',
    ]);
    // Nor does a page get in again that takes no hint.
    expect(await two.run('connect')).toMatchObject({ wasOpen: false });
    expect((await two.kept()).events).toEqual(second.events);
    await Promise.all(both.map((watcher) => watcher.close()));
  });
});

describe('a server that is restarted under two browsers', () => {
  it.each([
    ['one frame an event', ''],
    ['frames that are arrays', '1'],
  ])('they resume with nothing missed and nothing twice: %s', async (_, batch) => {
    const [agent1, agent2] = await Promise.all(['agent1', 'agent2'].map(login));
    if (!agent1 || !agent2) throw new Error('nobody is there');
    const talk = await newTalk(agent1, agent2);
    const [one, two] = await Promise.all([open(agent1, talk, batch), open(agent2, talk, batch)]);
    const both = [one, two];
    await allSee(both, 3);

    const endings = { stopped: () => server.stop(), killed: () => server.kill() };
    for (const [round, end] of Object.entries(endings)) {
      const before = (await one.kept()).events.length;
      const talking = both.map((watcher) => watcher.run('talkThrough', round, MESSAGES, INTO_THE_VOID));
      await eventually(async () => expect((await one.kept()).events.length).toBeGreaterThan(before + FEW));
      await end();
      await Promise.all(talking);
      await server.start();
      await untilSettled(one, two, (said) => 3 + said);
    }

    const [first, second] = await untilSettled(one, two, (said) => 3 + said);
    for (const kept of [first, second]) {
      expectSound(kept);
      expect(kept.closes.length).toBeGreaterThanOrEqual(2);
      expect(kept.resent).toBeGreaterThanOrEqual(2 * INTO_THE_VOID);
      expect(kept.said.length).toBeGreaterThanOrEqual(2 * MESSAGES);
    }
    expect(first.events).toEqual(second.events);
    expect(first.events).toEqual(await replay(agent1, talk));

    const created = first.events.slice(3);
    expect(new Set(created.map(({ type }) => type))).toEqual(new Set(['message_created']));
    const textsBy = (author: Person): string[] =>
      created.filter(({ data }) => data.owner_id === author.id).map(({ data }) => data.text);
    // Each said once, and in the order in which it was said.
    expect(textsBy(agent1)).toEqual(first.said);
    expect(textsBy(agent2)).toEqual(second.said);
    const listed = await everyRow(agent1.call, `/v1.0/service_agents/talk_messages?chat_id=${talk}&page_size=100`);
    expect(listed.toReversed()).toEqual(created.map(({ data }) => data));
    await Promise.all(both.map((watcher) => watcher.close()));
  });
});
