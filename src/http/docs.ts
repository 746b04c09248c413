import type { OpenAPIHono } from '@hono/zod-openapi';
import { Hono } from 'hono';
import { docsPage } from './docs-page.ts';
import type { AppEnv } from './context.ts';

const INFO = {
  title: 'Parley',
  version: '1.0',
  description:
    'Conversations over SMS, MMS, WhatsApp, Messenger, LINE, e-mail and web chat, in the VoIPBIN dialect. Lists are newest first; times are UTC; an error is `{"error":{status, reason, message, request_id, details?}}`.',
};

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

export const documentOf = (app: OpenAPIHono<AppEnv>) =>
  app.getOpenAPI31Document({ openapi: '3.1.0', info: INFO, servers: [{ url: '/' }] });

/** `/openapi.json`, and `/docs`: the same for people, without anything from outside. */
export function docsRoutes(app: OpenAPIHono<AppEnv>): Hono<AppEnv> {
  const routes = new Hono<AppEnv>();
  routes.get('/openapi.json', (c) => c.json(documentOf(app)));
  routes.get('/docs', (c) => {
    c.header(
      'Content-Security-Policy',
      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    return c.html(docsPage(documentOf(app)));
  });
  return routes;
}
