import type { OpenAPIHono } from '@hono/zod-openapi';
import { Hono } from 'hono';
import { html } from 'hono/html';
import { type AppEnv, publicUrlOf } from './context.ts';
import { exampleOf } from './docs-examples.ts';

const INFO = {
  title: 'Parley',
  version: '1.0',
  description:
    'Conversations over SMS, MMS, WhatsApp, Messenger, LINE, e-mail and web chat. The guides at [/docs](/docs) explain how it all fits together. `/v1.0` is the VoIPBIN dialect: lists are newest first, times are UTC, an error is `{"error":{status, reason, message, request_id, details?}}`. `/v1` is the Voicebip dialect.',
};

/** In the order in which a reader needs them. A family that is not named here comes last. */
const FAMILIES = [
  'Conversations',
  'Messages',
  'Medias',
  'Participants',
  'Contacts',
  'Live',
  'Webhooks',
  'Accounts',
  'Assistants',
  'Flows',
  'Talk',
  'Talk messages',
  'Identity',
  'Web chat',
  'Voicebip',
  'Provider hooks',
  'Sandbox',
];

/** The places in which a credential is accepted (spec section 2). */
export function registerSecurity(app: OpenAPIHono<AppEnv>): void {
  const register = app.openAPIRegistry.registerComponent.bind(app.openAPIRegistry);
  register('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description: 'A token of POST /auth/login, or an access key',
  });
  register('securitySchemes', 'token', { type: 'apiKey', in: 'query', name: 'token' });
  register('securitySchemes', 'accesskey', { type: 'apiKey', in: 'query', name: 'accesskey' });
  register('securitySchemes', 'cookie', { type: 'apiKey', in: 'cookie', name: 'token' });
}

/** `server` is the origin that answers: the code samples of a viewer call it. */
export function documentOf(app: OpenAPIHono<AppEnv>, server: string) {
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: INFO,
    servers: [{ url: server }],
    tags: FAMILIES.map((name) => ({ name })),
  });
  for (const [path, item] of Object.entries(document.paths ?? {})) addExamples(path, item);
  return document;
}

type Item = NonNullable<ReturnType<OpenAPIHono<AppEnv>['getOpenAPI31Document']>['paths']>[string];

function addExamples(path: string, item: Item): void {
  for (const method of ['post', 'put', 'patch'] as const) {
    const body = item[method]?.requestBody;
    const json = body && 'content' in body ? body.content['application/json'] : undefined;
    if (json) json.example = exampleOf(method, path);
  }
}

/** `/openapi.json`. The pages under `/docs` are static assets (cli/build-assets.ts); only a path without one comes here. */
export function docsRoutes(app: OpenAPIHono<AppEnv>): Hono<AppEnv> {
  const routes = new Hono<AppEnv>();
  routes.get('/openapi.json', (c) => c.json(documentOf(app, publicUrlOf(c))));
  routes.get('/docs/*', (c) => {
    c.header(
      'Content-Security-Policy',
      "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    );
    return c.html(notFoundPage(), 404);
  });
  return routes;
}

const notFoundPage = () =>
  html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>Not found · Parley</title>
        <link rel="stylesheet" href="/docs/style.css" />
      </head>
      <body>
        <nav class="top" aria-label="Documentation"><a class="brand" href="/docs">Parley</a></nav>
        <div class="columns">
          <main>
            <h1>Page not found</h1>
            <p>There is no page at this address.</p>
            <p><a href="/docs">All guides</a> · <a href="/docs/reference">API reference</a></p>
          </main>
        </div>
      </body>
    </html>`;
