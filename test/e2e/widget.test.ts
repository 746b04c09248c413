import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import axe from 'axe-core';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type ChatFake, startChat } from '../fakes/chat.ts';
import { launchChromium } from '../support/chromium.ts';
import { eventually, type Json, ok } from '../support/http.ts';
import { startServer, type TestServer } from '../support/server.ts';

/** The web chat as a visitor has it: a page of the company's own, on another origin, in a real browser. */
const PICTURES = join(tmpdir(), 'parley-widget');
const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 800 };
const PATIENCE = { timeout: 10_000 };
const MAX_GZIPPED = 15 * 1024;

/** All that these tests need of a server, beside what it tells the widget. */
interface Harness {
  origin: string;
  account: string;
  /** An agent answers whoever has written `question`. */
  answer(question: string, text: string): Promise<unknown>;
}

let server: TestServer;
let real: Harness;
let fake: ChatFake;
let harness: Harness;
let browser: Browser;
let pages: Server;
let site: string;

beforeAll(async () => {
  mkdirSync(PICTURES, { recursive: true });
  pages = createServer((request, response) =>
    response.setHeader('content-type', 'text/html; charset=utf-8').end(pageFor(new URL(request.url ?? '', site))),
  );
  pages.listen(0, '127.0.0.1');
  await once(pages, 'listening');
  const bound = pages.address();
  if (bound === null || typeof bound === 'string') throw new Error('the pages have no port');
  site = `http://127.0.0.1:${bound.port}`;
  [server, fake, browser] = await Promise.all([startServer(), startChat(site), launchChromium()]);
  real = await realHarness();
});

const fakeHarness = (): Harness => ({
  origin: fake.origin,
  account: fake.account,
  answer: async (asked, text) => fake.answer(asked, text),
});

/** A Parley as it is, with an administrator who answers. */
async function realHarness(): Promise<Harness> {
  const provider_data = { allowed_origins: [site] };
  const { id } = await ok(server.call('POST', '/v1.0/conversation_accounts', { type: 'chat', provider_data }));
  const login = { username: 'admin@localhost', password: 'admin@localhost' };
  const { token } = await ok(server.as(null)('POST', '/auth/login', login));
  const answer = async (asked: string, text: string): Promise<void> => {
    const conversation = await withMessage(id, asked);
    await ok(server.as(token)('POST', `/v1.0/conversations/${conversation}/messages`, { text }));
  };
  return { origin: server.url, account: id, answer };
}

/** The conversation in which somebody has just written that. */
const withMessage = (accountId: string, text: string): Promise<string> =>
  eventually(async () => {
    const { result } = await ok(server.call('GET', `/v1.0/conversations?account_id=${accountId}`));
    for (const { id } of result) {
      const messages = await ok(server.call('GET', `/v1.0/conversations/${id}/messages`));
      if (messages.result.some((message: Json) => message.text === text)) return id;
    }
    throw new Error(`nobody has written ${text}`);
  });

afterAll(async () => {
  await Promise.all([browser?.close(), fake?.close(), server?.dispose()]);
  pages?.closeAllConnections();
  pages?.close();
  expect(fake?.violations).toEqual([]);
});

/** A company's page whose own style would spoil a widget that lets it in. The query makes the tag's attributes. */
function pageFor({ searchParams }: URL): string {
  const attributes = [...searchParams].map(([name, value]) => `data-${name}="${value}"`).join(' ');
  return `<!doctype html><html lang="en"><title>A shop</title>
    <style>div, button, textarea, p { color: red; font-size: 40px; transform: rotate(3deg); display: inline-block }</style>
    <script async src="${harness.origin}/widget.js" data-account="${harness.account}" ${attributes}></script>
    <main><h1>A shop</h1><a href="#elsewhere">Elsewhere</a></main></html>`;
}

interface Where {
  size?: { width: number; height: number };
  dark?: boolean;
  attributes?: Record<string, string>;
  at?: string;
}

/** A visitor in a browser profile of its own. */
async function visit({ size = DESKTOP, dark = false, attributes = {}, at = site }: Where = {}): Promise<Page> {
  const colorScheme = dark ? 'dark' : 'light';
  const context = await browser.newContext({ viewport: size, colorScheme, locale: 'en-US' });
  context.setDefaultTimeout(10_000);
  onTestFinished(() => context.close());
  return openPage(context, attributes, at);
}

async function openPage(context: BrowserContext, attributes: Record<string, string> = {}, at = site): Promise<Page> {
  const page = await context.newPage();
  page.on('pageerror', (error) => fake.violations.push(`the page: ${error.message}`));
  await page.goto(`${at}/?${new URLSearchParams(attributes).toString()}`);
  return page;
}

const launcher = (page: Page) => page.locator('.launcher');
const composer = (page: Page) => page.getByRole('textbox', { name: 'Write a message' });
const bubbles = (page: Page) => page.locator('.bubble');
const bubble = (page: Page, text: string) => bubbles(page).filter({ hasText: text });
const pending = (page: Page) => page.getByText('Sending…');

/** Without the form. */
async function openChat(where: Where = {}): Promise<Page> {
  const page = await visit({ ...where, attributes: { ask: '', ...where.attributes } });
  await launcher(page).click();
  return page;
}

async function write(page: Page, text: string): Promise<void> {
  await composer(page).fill(text);
  await composer(page).press('Enter');
}

/** Written, and taken by the server. */
async function ask(page: Page, text: string): Promise<void> {
  await write(page, text);
  await bubble(page, text).waitFor();
  await expect.poll(() => pending(page).count(), PATIENCE).toBe(0);
}

let questions = 0;
const question = (): string => `Question ${(questions += 1)}?`;
const texts = (page: Page): Promise<string[]> => bubbles(page).allTextContents();

describe('with a Parley', () => {
  beforeAll(() => void (harness = real));

  it('shows a message at once and then as taken, and the answer as it comes', async () => {
    const page = await openChat();
    await page.evaluate(`var told = []; addEventListener('parley:message', ({ detail }) => told.push(detail))`);
    const asked = question();
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    await page.route('**/messages', async (route) => {
      if (route.request().method() === 'POST') await held;
      await route.continue();
    });
    await write(page, asked);
    await bubble(page, asked).waitFor();
    await pending(page).waitFor();
    release();
    await pending(page).waitFor({ state: 'detached' });
    await harness.answer(asked, 'On Friday.');
    await bubble(page, 'On Friday.').waitFor();
    expect(await page.evaluate<Json[]>('told')).toMatchObject([
      { direction: 'incoming', text: asked },
      { direction: 'outgoing', text: 'On Friday.', sender: { type: 'person' } },
    ]);
    await expect.poll(() => texts(page), PATIENCE).toEqual([asked, 'On Friday.']);
  });

  it('asks nothing of the server for a page view alone', async () => {
    const asked: string[] = [];
    const context = await browser.newContext();
    onTestFinished(() => context.close());
    context.on('request', (request) => asked.push(new URL(request.url()).pathname));
    const page = await openPage(context);
    await launcher(page).waitFor();
    await launcher(page).click();
    await page.getByRole('button', { name: 'Skip' }).waitFor();
    expect(asked.filter((path) => path.startsWith('/chat/'))).toEqual([]);
  });

  it('has the history after a reload, and counts what came while it was closed', async () => {
    const page = await openChat();
    const asked = question();
    await ask(page, asked);
    await harness.answer(asked, 'One.');
    await bubble(page, 'One.').waitFor();
    await page.keyboard.press('Escape');
    await harness.answer(asked, 'Two.');
    await page.locator('.badge', { hasText: '1' }).waitFor();
    await page.reload();
    await page.getByRole('button', { name: '1 unread' }).click();
    await bubble(page, 'Two.').waitFor();
    await expect.poll(() => texts(page), PATIENCE).toEqual([asked, 'One.', 'Two.']);
    await page.keyboard.press('Escape');
    expect(await page.locator('.badge').isVisible()).toBe(false);
  });

  it('shows the same in two tabs', async () => {
    const page = await openChat();
    const other = await openPage(page.context(), { ask: '' });
    await launcher(other).click();
    const asked = question();
    await ask(page, asked);
    await harness.answer(asked, 'To both.');
    for (const tab of [page, other]) await bubble(tab, 'To both.').waitFor();
    for (const tab of [page, other]) await expect.poll(() => texts(tab), PATIENCE).toEqual([asked, 'To both.']);
  });

  it('keeps what is written offline, and sends it once when it is back', async () => {
    const page = await openChat();
    const asked = question();
    await ask(page, asked);
    await page.context().setOffline(true);
    await write(page, 'Are you there?');
    await pending(page).waitFor();
    await page.getByText('You are offline.').waitFor();
    await page.context().setOffline(false);
    await pending(page).waitFor({ state: 'detached' });
    await harness.answer(asked, 'Yes.');
    await bubble(page, 'Yes.').waitFor();
    await page.reload();
    await launcher(page).click();
    await bubble(page, 'Yes.').waitFor();
    await expect.poll(() => texts(page), PATIENCE).toEqual([asked, 'Are you there?', 'Yes.']);
  });

  it('sends once what the network has lost the answer of, also over a reload', async () => {
    const page = await openChat();
    const asked = question();
    await ask(page, asked);
    let lost = 0;
    await page.route('**/messages', async (route) => {
      if (route.request().method() !== 'POST' || lost > 0) return route.continue();
      lost += 1;
      await route.fetch();
      await route.abort();
    });
    await write(page, 'Once.');
    await expect.poll(() => lost, PATIENCE).toBe(1);
    await page.reload();
    await launcher(page).click();
    await bubble(page, 'Once.').waitFor();
    await pending(page).waitFor({ state: 'detached' });
    await expect.poll(() => texts(page), PATIENCE).toEqual([asked, 'Once.']);
  });

  it('misses nothing when its socket is cut', async () => {
    const page = await visit({ attributes: { ask: '' } });
    let cut = async () => {};
    let connections = 0;
    await page.routeWebSocket('**/ws*', (socket) => {
      connections += 1;
      socket.connectToServer();
      cut = () => socket.close({ code: 1011 });
    });
    await launcher(page).click();
    const asked = question();
    await ask(page, asked);
    await expect.poll(() => connections, PATIENCE).toBe(1);
    await cut();
    for (const text of ['One.', 'Two.', 'Three.']) await harness.answer(asked, text);
    await bubble(page, 'Three.').waitFor();
    await expect.poll(() => texts(page), PATIENCE).toEqual([asked, 'One.', 'Two.', 'Three.']);
    expect(connections).toBe(2);
  });

  it('hides itself on a page whose origin may not use it, and says so once', async () => {
    const page = await visit({ attributes: { ask: '' }, at: site.replace('127.0.0.1', 'localhost') });
    const warnings: string[] = [];
    page.on('console', (line) => line.type() === 'warning' && warnings.push(line.text()));
    await launcher(page).click();
    await launcher(page).waitFor({ state: 'detached' });
    expect(warnings).toEqual([expect.stringContaining('ORIGIN_NOT_ALLOWED')]);
  });

  it('leaves what looks like HTML or a script as text, and links only to the web', async () => {
    const page = await openChat();
    const bad = `<img src=x onerror="window.hacked=1"> javascript:alert(1) [a](javascript:hacked=1) data:text/html,x`;
    await ask(page, bad);
    await harness.answer(bad, `${bad} see https://example.com/a?b=1&c=(d). And HTTP://EXAMPLE.COM!`);
    await bubble(page, 'see').waitFor();
    expect((await texts(page))[0]).toBe(bad);
    expect(await page.locator('.bubble img').count()).toBe(0);
    const links = await page.locator('.bubble a').evaluateAll((all) => all.map((one) => (one as Json).href));
    expect(links).toEqual(['https://example.com/a?b=1&c=(d', 'http://example.com/']);
    expect(await page.evaluate('window.hacked')).toBeUndefined();
  });

  it('does not send by the Enter that ends a composition', async () => {
    const page = await openChat();
    await composer(page).fill('안녕하');
    for (const init of [{ isComposing: true }, { keyCode: 229 }]) {
      await composer(page).dispatchEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, ...init });
    }
    await composer(page).press('Shift+Enter');
    expect(await composer(page).inputValue()).toBe('안녕하\n');
    await composer(page).press('Enter');
    await bubble(page, '안녕하').waitFor();
    expect(await bubbles(page).count()).toBe(1);
  });
});

describe('for the keyboard and for everybody’s eyes', () => {
  beforeAll(() => void (harness = real));

  it('takes the focus in, keeps it on a phone, and gives it back', async () => {
    const page = await openChat({ size: PHONE });
    const focused = () =>
      page.evaluate<string>(`document.activeElement.shadowRoot?.activeElement?.className ?? 'page'`);
    expect(await focused()).toBe('panel');
    const seen = new Set<string>();
    for (let step = 0; step < 8; step += 1) {
      await page.keyboard.press(step < 4 ? 'Tab' : 'Shift+Tab');
      seen.add(await focused());
    }
    expect([...seen]).not.toContain('page');
    await page.keyboard.press('Escape');
    expect(await focused()).toBe('launcher');
  });

  it('speaks the language of its page', async () => {
    const page = await openChat({ attributes: { lang: 'ko-KR' } });
    await page.getByRole('dialog', { name: '문의하기' }).waitFor();
    await page.getByRole('textbox', { name: '메시지를 입력하세요' }).waitFor();
  });

  for (const [name, size] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
    for (const dark of [false, true]) {
      it(`has no fault that axe finds, ${dark ? 'dark' : 'light'} on a ${name}`, async () => {
        const page = await visit({ size, dark });
        const look = async (state: string) => {
          await page.screenshot({ path: join(PICTURES, `${name}-${dark ? 'dark' : 'light'}-${state}.png`) });
          expect(await faultsOf(page)).toEqual([]);
        };
        await launcher(page).waitFor();
        await look('closed');
        await launcher(page).click();
        await page.getByLabel('E-mail').fill('eve@example.com');
        await look('form');
        await page.getByRole('button', { name: 'Start chat' }).click();
        const asked = question();
        await ask(page, asked);
        await ask(page, 'It was due on Monday, and I have looked at https://example.com/orders/4711 twice since then.');
        await harness.answer(asked, 'Hello! I am looking for it.\nOne moment, please.');
        await bubble(page, 'One moment').waitFor();
        await look('conversation');
      });
    }
  }
});

/** Animations end at once, so that no colour is seen half way. */
async function faultsOf(page: Page): Promise<string[]> {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<Json>(`axe.run('#parley-chat')`);
  return violations.map(({ id, nodes }: Json) => `${id}: ${nodes.map(({ html }: Json) => html).join(' ')}`);
}

describe('with a server that does what it is told', () => {
  beforeAll(() => void (harness = fakeHarness()));

  it('sends what the form says, and keeps it', async () => {
    const page = await visit();
    await launcher(page).click();
    await page.getByLabel('Name').fill('Eve');
    await page.getByLabel('E-mail').fill('no address');
    await page.getByRole('button', { name: 'Start chat' }).click();
    expect(await composer(page).isVisible()).toBe(false);
    await page.getByLabel('E-mail').fill('eve@example.com');
    const sent = page.waitForRequest('**/sessions');
    await page.getByRole('button', { name: 'Start chat' }).click();
    expect((await sent).postDataJSON()).toEqual({ name: 'Eve', email: 'eve@example.com' });
    await ask(page, question());
  });

  it('marks what is refused, and sends it again only when told to', async () => {
    const page = await openChat();
    fake.failNext('POST /messages', 422, 'INVALID_ARGUMENT');
    const asked = question();
    await write(page, asked);
    await page.getByText('Not sent.').waitFor();
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('Not sent.').waitFor({ state: 'detached' });
    await page.keyboard.type('The focus is in the text again.');
    expect(await composer(page).inputValue()).toBe('The focus is in the text again.');
    expect(fake.conversationOf(asked).messages).toHaveLength(1);
  });

  it('tries again by itself after a 500 and a 429', async () => {
    const page = await openChat();
    fake.failNext('POST /messages', 500, 'INTERNAL');
    fake.failNext('POST /messages', 429, 'TOO_MANY_REQUESTS', { 'Retry-After': '1' });
    const asked = question();
    await ask(page, asked);
    expect(fake.conversationOf(asked).messages).toHaveLength(1);
  });

  it('goes on after the conversation has ended, and keeps what it shows', async () => {
    const page = await openChat();
    const [before, after] = [question(), question()];
    await ask(page, before);
    fake.end(before);
    await page.getByText('This conversation has ended.').waitFor();
    await ask(page, after);
    expect(await page.getByText('This conversation has ended.').count()).toBe(0);
    await harness.answer(after, 'Welcome back.');
    await bubble(page, 'Welcome back.').waitFor();
    await expect.poll(() => texts(page), PATIENCE).toEqual([before, after, 'Welcome back.']);
  });

  it('follows into the next conversation in the other tab too', async () => {
    const page = await openChat();
    const other = await openPage(page.context(), { ask: '' });
    await launcher(other).click();
    const [before, after] = [question(), question()];
    await ask(page, before);
    await bubble(other, before).waitFor();
    fake.end(before);
    await ask(page, after);
    await harness.answer(after, 'To both.');
    for (const tab of [page, other]) await bubble(tab, 'To both.').waitFor();
  });

  it('says what it has seen, and who types', async () => {
    const page = await openChat();
    const asked = question();
    await ask(page, asked);
    const conversation = fake.conversationOf(asked);
    fake.say(conversation, { type: 'typing', data: { is_typing: true, name: 'Ada' } });
    await page.getByText('Ada is typing…').waitFor();
    const { sequence } = fake.answer(asked, 'Here.');
    await page.getByText('Ada is typing…').waitFor({ state: 'detached' });
    await composer(page).pressSequentially('Thanks');
    await eventually(() => {
      expect(conversation.heard).toContainEqual({ type: 'read', sequence });
      expect(conversation.heard).toContainEqual({ type: 'ack', sequence });
      expect(conversation.heard.findLast(({ type }) => type === 'typing')).toEqual({ type: 'typing', is_typing: true });
    });
  });

  it('changes and takes away messages, and begins anew when it is told to', async () => {
    const page = await openChat();
    const asked = question();
    await ask(page, asked);
    const [one, two] = [fake.answer(asked, 'One.'), fake.answer(asked, 'Two.')];
    const conversation = fake.conversationOf(asked);
    await bubble(page, 'Two.').waitFor();
    fake.say(conversation, { type: 'message', sequence: 4, data: { ...one, text: 'Uno.' } });
    fake.say(conversation, { type: 'message_deleted', sequence: 5, data: { id: two.id } });
    await bubble(page, 'Two.').waitFor({ state: 'detached' });
    await expect.poll(() => texts(page), PATIENCE).toEqual([asked, 'Uno.']);
    fake.say(conversation, { type: 'resync', sequence: 3 });
    await bubble(page, 'Two.').waitFor();
    await expect.poll(() => texts(page), PATIENCE).toEqual([asked, 'One.', 'Two.']);
  });

  it('loads older messages when it is scrolled to the top', async () => {
    const page = await openChat();
    const asked = question();
    await ask(page, asked);
    for (let index = 1; index <= 120; index += 1) fake.answer(asked, `Line ${index}.`);
    await page.reload();
    await launcher(page).click();
    await bubble(page, 'Line 120.').waitFor();
    for (const count of [100, 121]) {
      await page.locator('.log').evaluate((log) => log.scrollTo(0, 0));
      await expect.poll(() => bubbles(page).count(), PATIENCE).toBe(count);
    }
    expect((await texts(page))[0]).toBe(asked);
    fake.answer(asked, 'Down here.');
    await page.getByRole('button', { name: '1 unread' }).click();
    await expect.poll(() => page.getByRole('button', { name: '1 unread' }).count(), PATIENCE).toBe(0);
    await page.keyboard.press('Escape');
    expect(await page.getByRole('dialog').count()).toBe(0);
  });

  it('saves a file under its name', async () => {
    const page = await openChat();
    const asked = question();
    await ask(page, asked);
    fake.answer(asked, '', { medias: [{ type: 'file', filename: 'invoice.html', index: 0 }] });
    const saved = page.waitForEvent('download');
    await page.getByRole('button', { name: 'invoice.html' }).click();
    expect((await saved).suggestedFilename()).toBe('invoice.html');
  });

  it('becomes somebody new when its token is no longer good', async () => {
    const page = await openChat();
    await ask(page, question());
    fake.forgetVisitors();
    const asked = question();
    await ask(page, asked);
    await harness.answer(asked, 'Who are you?');
    await bubble(page, 'Who are you?').waitFor();
    await expect.poll(() => texts(page), PATIENCE).toEqual([asked, 'Who are you?']);
  });

  it('identifies, goes on without where that is refused, and leaves nothing behind', async () => {
    const page = await openChat();
    await ask(page, question());
    const told = page.waitForRequest((request) => request.postDataJSON()?.identity_token === 'signed');
    await page.evaluate(`Parley.identify('signed')`);
    expect((await told).postDataJSON()).toHaveProperty('visitor_token');
    await page.evaluate(`Parley.identify('forged')`);
    await ask(page, question());
    await page.evaluate(`Parley.shutdown()`);
    expect(await page.locator('#parley-chat').count()).toBe(0);
    expect(await page.evaluate(`localStorage.length`)).toBe(0);
    await page.evaluate(`Parley.open()`);
    await ask(page, question());
    expect(await bubbles(page).count()).toBe(1);
  });

  it('works where a page may store nothing', async () => {
    const context = await browser.newContext();
    onTestFinished(() => context.close());
    await context.addInitScript(
      `Object.defineProperty(window, 'localStorage', { get() { throw new Error('blocked'); } })`,
    );
    const page = await openPage(context, { ask: '' });
    await launcher(page).click();
    const asked = question();
    await ask(page, asked);
    await harness.answer(asked, 'Noted.');
    await bubble(page, 'Noted.').waitFor();
  });
});

it('is small', async () => {
  const script = Buffer.from(await (await fetch(`${harness.origin}/widget.js`)).arrayBuffer());
  expect(gzipSync(script).length).toBeLessThan(MAX_GZIPPED);
});
