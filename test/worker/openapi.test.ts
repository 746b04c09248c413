import { exports } from 'cloudflare:workers';
import { expect, test } from 'vitest';
import { callWith, ok, ORIGIN, type Json } from '../support/hub.ts';

const document = (): Promise<Json> => ok(callWith(null)('GET', '/openapi.json'));
const operations = (spec: Json): { name: string; operation: Json }[] =>
  Object.entries<Json>(spec.paths).flatMap(([path, item]) =>
    Object.entries<Json>(item).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })),
  );

test('every route of the API is in it, with a summary, its errors and the shape of its answer', async () => {
  const listed = operations(await document());
  expect(listed.length).toBeGreaterThan(50);
  for (const { name, operation } of listed) {
    expect(operation.summary, name).toBeTruthy();
    expect(
      Object.keys(operation.responses).some((status) => status.startsWith('4')),
      name,
    ).toBe(true);
    const success = operation.responses['200'] ?? operation.responses['101'];
    expect(success, name).toBeDefined();
  }
});

test('nothing that the Worker answers is missing from it', async () => {
  const names = new Set(operations(await document()).map(({ name }) => name));
  for (const family of [
    'agents',
    'accesskeys',
    'conversation_accounts',
    'conversation-accounts',
    'webhook_endpoints',
  ]) {
    for (const name of [
      `GET /v1.0/${family}`,
      `POST /v1.0/${family}`,
      `GET /v1.0/${family}/{id}`,
      `PUT /v1.0/${family}/{id}`,
      `DELETE /v1.0/${family}/{id}`,
    ]) {
      expect(names, name).toContain(name);
    }
  }
  for (const name of [
    'POST /auth/login',
    'POST /v1.0/conversations/{id}/messages',
    'GET /v1.0/conversations/{id}/stream',
    'POST /hooks/{account_id}',
    'GET /v1.0/events',
  ]) {
    expect(names, name).toContain(name);
  }
});

test('every operation is in a family whose place in the reference is known', async () => {
  const spec = await document();
  const families = spec.tags.map((tag: Json) => tag.name);
  for (const { name, operation } of operations(spec)) expect(families, name).toContain(operation.tags?.[0]);
});

test('a page that is not there is a page that says so, and loads nothing from outside', async () => {
  const response = await exports.default.fetch(`${ORIGIN}/docs/no-such-guide`);
  const page = await response.text();
  expect(response.status).toBe(404);
  expect(response.headers.get('content-type')).toContain('text/html');
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(page).toContain('href="/docs"');
  expect(page).not.toMatch(/<(?:script|img|iframe)\b|(?:src|href)="https?:/);
});
