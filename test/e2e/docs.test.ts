import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import axe from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { launchChromium } from '../support/chromium.ts';
import { type Json, ok } from '../support/http.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { startServer, type TestServer } from '../support/server.ts';

/** The documentation as a reader has it: guides and API reference in a real browser. */
const PICTURES = join(tmpdir(), 'parley-docs');
const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 900 } };
const PATIENCE = { timeout: 20_000 };
/** Its family shows methods in several colours, long titles and code. */
const OPERATION = 'tag/voicebip/PATCH/v1/conversations/{id}';

let server: TestServer;
let browser: Browser;
let receiver: Receiver;

beforeAll(async () => {
  mkdirSync(PICTURES, { recursive: true });
  [server, browser, receiver] = await Promise.all([startServer(), launchChromium(), startReceiver()]);
});

afterAll(() => Promise.all([browser?.close(), server?.dispose(), receiver?.close()]));

interface Visited {
  page: Page;
  /** Requests to anywhere else, errors of the page, and whatever the browser refused because of the page's policy. */
  complaints: string[];
}

async function visit(path: string, size = SIZES.desktop): Promise<Visited> {
  const context = await browser.newContext({ viewport: size, reducedMotion: 'reduce', locale: 'en-US' });
  context.setDefaultTimeout(PATIENCE.timeout);
  onTestFinished(() => context.close());
  const complaints: string[] = [];
  context.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (origin !== server.url && protocol !== 'data:') complaints.push(`request to ${request.url()}`);
  });
  const page = await context.newPage();
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (line) => line.type() === 'error' && complaints.push(line.text()));
  await page.goto(server.url + path);
  const [pathname, fragment] = path.split('#');
  if (pathname === '/docs/reference')
    await page.getByRole('heading', { name: 'Parley', exact: true }).waitFor({ state: 'attached' });
  if (fragment !== undefined) await operation(page, fragment).locator('pre').first().waitFor();
  return { page, complaints };
}

/** The viewer names its sections `<document>/<fragment of the address>`. */
const operation = (page: Page, fragment: string) => page.locator(`[id$="/${fragment}"]`);

async function faultsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<Json>(`axe.run({ resultTypes: ['violations'] })`);
  return violations.flatMap(({ id, nodes }: Json) =>
    nodes.filter((node: Json) => !isTheViewers(id, node)).map(({ html }: Json) => `${id}: ${html}`),
  );
}

/** The viewer gives the answers of each operation a region, and all of them one name, which no option changes. */
const isTheViewers = (rule: string, { html }: Json): boolean =>
  rule === 'landmark-unique' && /^<div [^>]*role="region" class="scalar-card [^"]*\bresponse-card"/.test(html);

const isWiderThanItsWindow = (page: Page): Promise<boolean> =>
  page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth');

/** What is on the page now, in light and in dark, seen by axe; the pictures are for a person to look at. */
async function look({ page, complaints }: Visited, picture: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    const back = colorScheme === 'dark' ? 'rgb(15, 15, 15)' : 'rgb(255, 255, 255)';
    const shown = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    await expect.poll(shown, PATIENCE).toBe(back);
    await page.screenshot({ path: join(PICTURES, `${picture}-${colorScheme}.png`) });
    expect(await faultsOf(page)).toEqual([]);
    expect(await isWiderThanItsWindow(page)).toBe(false);
  }
  expect(complaints).toEqual([]);
}

describe.each(Object.entries(SIZES))('on a %s', (name, size) => {
  it.each(['/docs', '/docs/architecture', '/docs/reference', `/docs/reference#${OPERATION}`])(
    '%s has no fault that axe finds, and asks nothing of anybody else',
    async (path) => look(await visit(path, size), `${name}${path.replaceAll(/\W+/g, '-')}`),
  );
});

describe('the guides', () => {
  it('lead to each other and to the reference, and back', async () => {
    const { page, complaints } = await visit('/');
    await page.getByRole('main').getByRole('link', { name: 'Webhooks' }).click();
    await page.getByRole('heading', { level: 1, name: 'Webhooks' }).waitFor();
    await page.getByRole('navigation', { name: 'Guides' }).getByRole('link', { name: 'Retries' }).click();
    expect(page.url()).toBe(`${server.url}/docs/webhooks#retries`);
    await page.getByRole('link', { name: 'Next' }).or(page.locator('.next a')).click();
    await page.getByRole('heading', { level: 1, name: 'Live streams' }).waitFor();
    await page.getByRole('navigation', { name: 'Documentation' }).getByRole('link', { name: 'API reference' }).click();
    await page.getByRole('heading', { name: 'Parley', exact: true }).waitFor();
    await page.getByRole('navigation', { name: 'Documentation' }).getByRole('link', { name: 'Guides' }).click();
    await page.getByRole('heading', { level: 1, name: 'Parley guides' }).waitFor();
    expect(complaints).toEqual([]);
  });

  it('leave no link dead', async () => {
    const seen = new Map<string, string>();
    const follow = async (path: string): Promise<void> => {
      if (seen.has(path)) return;
      const response = await fetch(server.url + path);
      const text = await response.text();
      seen.set(path, response.status === 200 ? text : `${response.status}`);
      for (const [, href = ''] of text.matchAll(/<a[^>]* href="(\/docs[^"#]*)/g)) await follow(href);
    };
    await follow('/docs');
    expect([...seen].filter(([, text]) => /^\d+$/.test(text))).toEqual([]);
    expect(seen.size).toBeGreaterThan(14);
  });

  it('copy a block of code', async () => {
    const { page } = await visit('/docs/webhooks');
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    const block = page.locator('.code').first();
    await block.hover();
    await block.getByRole('button', { name: 'Copy' }).click();
    await block.getByRole('button', { name: 'Copied' }).waitFor();
    expect(await page.evaluate<string>('navigator.clipboard.readText()')).toContain('conversation_message_received');
  });

  it('say so where there is no page, and lead back', async () => {
    const response = await fetch(`${server.url}/docs/no-such-guide`);
    expect(response.status).toBe(404);
    expect(response.headers.get('content-type')).toMatch(/^text\/html/);
    const { page } = await visit('/docs/no-such-guide');
    await page.getByRole('heading', { name: 'Page not found' }).waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await page.getByRole('link', { name: 'All guides' }).click();
    await page.getByRole('heading', { name: 'Parley guides' }).waitFor();
  });
});

describe('the API reference', () => {
  it('has every family of the document, and in each its operations', async () => {
    const document = await ok(server.as(null)('GET', '/openapi.json'));
    const operations = Object.entries<Json>(document.paths).flatMap(([path, item]) =>
      Object.entries<Json>(item).map(([method, { tags }]) => `${fragmentOf(tags[0])}/${method.toUpperCase()}${path}`),
    );
    const { page } = await visit('/docs/reference');
    const listed = async (): Promise<string[]> =>
      (await page.locator('a[href*="#tag/"]').evaluateAll((all) => all.map((one) => (one as Json).hash))).map(
        decodeURI,
      );
    const families = document.tags.map(({ name }: Json) => `#${fragmentOf(name)}`);
    await expect.poll(listed, PATIENCE).toEqual(expect.arrayContaining(families));
    const wanted = operations.filter((each) => /^tag.(conversations|voicebip).[A-Z]/.test(each));
    for (const family of ['conversations', 'voicebip']) await page.goto(`${server.url}/docs/reference#tag/${family}`);
    await expect.poll(listed, PATIENCE).toEqual(expect.arrayContaining(wanted.map((each) => `#${each}`)));
    expect(wanted.length).toBeGreaterThan(20);
  });

  it('allows no scripts but its own, and nothing from elsewhere', async () => {
    const policy = (await fetch(`${server.url}/docs/reference`)).headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("connect-src 'self';");
    expect(policy).not.toMatch(/https?:|\*/);
  });

  it('shows samples that work as they are copied, once a key is filled in', async () => {
    const { page, complaints } = await visit('/docs/reference');
    await page.getByRole('textbox', { name: 'Bearer Token' }).fill(server.accessKey);
    const sample = async (fragment: string): Promise<string> => {
      await page.goto(`${server.url}/docs/reference#${fragment}`);
      const code = operation(page, fragment).locator('pre').first();
      await expect.poll(() => code.innerText(), PATIENCE).toContain(server.accessKey);
      return code.innerText();
    };
    const list = await sample('tag/conversations/GET/v1.0/conversations');
    expect(list).toContain(`${server.url}/v1.0/conversations`);
    expect(run(list)).toHaveProperty('result');
    const make = await sample('tag/webhooks/POST/v1.0/webhook_endpoints');
    const endpoint = run(make.replace('https://example.com/', receiver.url));
    expect(endpoint).toMatchObject({ status: 'enabled', url: `${receiver.url}webhooks` });
    await ok(server.call('DELETE', `/v1.0/webhook_endpoints/${endpoint.id}`));
    expect(complaints).toEqual([]);
  });

  it('has a sample body for every operation, and each is accepted', async () => {
    const login = { username: 'admin@localhost', password: 'admin@localhost' };
    const { token } = await ok(server.as(null)('POST', '/auth/login', login));
    const document = await ok(server.as(null)('GET', '/openapi.json'));
    const refused: string[] = [];
    for (const [path, item] of Object.entries<Json>(document.paths)) {
      for (const [method, { requestBody, parameters }] of Object.entries<Json>(item)) {
        const json = requestBody?.content['application/json'];
        if (!json) continue;
        const body = local(JSON.stringify(json.example));
        const answer = await server.as(token)(method.toUpperCase(), local(filled(path, parameters)), body);
        // What needs another credential, or an id that is made up, is understood all the same.
        const isUnderstood = [200, 401, 404].includes(answer.status) || answer.body?.details?.agent_id;
        if (!isUnderstood) refused.push(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
      }
    }
    expect(refused).toEqual([]);
  });
});

const fragmentOf = (family: string): string => `tag/${family.toLowerCase().replaceAll(' ', '-')}`;

const run = (command: string): Json =>
  JSON.parse(execFileSync('bash', ['-c', command.replace(/^curl/, 'curl -s')], { encoding: 'utf8' }));

/** No test calls another machine; and the made-up account is the one that there is. */
const local = (text: string): string =>
  text
    .replaceAll('https://example.com/', receiver.url)
    .replaceAll(/"account_id":"[^"]+"/g, `"account_id":"${server.sandboxAccount}"`);

const filled = (path: string, parameters: Json[]): string =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const { example, schema } = parameters.find((parameter) => parameter.name === name);
    return example ?? schema.example ?? '123e4567-e89b-12d3-a456-426614174000';
  });
