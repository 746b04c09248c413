import { createRoute, z } from '@hono/zod-openapi';
import { Hono } from 'hono';
import { html } from 'hono/html';
import { accountIdOf, chatAccount, visitorIn } from './visitor.ts';
import { type AppContext, type AppEnv, publicUrlOf } from '../context.ts';
import { invalidField, tooMany, valueOf } from '../errors.ts';
import { answer, body, failures } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { introduce, mailVerification, prove } from '../../app/contacts/visitor.ts';
import { configOf } from '../../env.ts';
import { readVerification } from '../../security/verification-token.ts';

const requestRoute = createRoute({
  tags: ['Web chat'],
  security: [{ bearer: [] }],
  method: 'post',
  path: '/{account_id}/verifications',
  summary: 'Mail a verification link to the address that the visitor typed',
  description:
    'Whoever opens it has proved to own the address. Then the visitor is that contact, and their conversations go on as one. The link is valid for an hour.',
  request: {
    params: z.object({ account_id: z.string() }),
    ...body(
      z.object({
        email: z
          .email('must be an e-mail address')
          .max(254)
          .optional()
          .openapi({ description: 'Absent: the one of the session' }),
      }),
    ),
  },
  responses: {
    ...answer(z.object({ email: z.string() }), 'Where the link was mailed'),
    ...failures('CONVERSATION_ACCOUNT_NOT_FOUND', 'ORIGIN_NOT_ALLOWED', 'INVALID_CREDENTIALS', 'NO_CHANNEL_AVAILABLE'),
  },
});

export const chatVerificationRoutes = newRouter();

chatVerificationRoutes.openapi(requestRoute, async (c) => {
  const resolved = await chatAccount(c);
  const visitor = await visitorIn(c);
  const email = (c.req.valid('json').email ?? visitor.email).toLowerCase();
  if (email === '') throw invalidField('email', 'is required');
  for (const key of [email, visitor.id]) {
    const { success } = await c.env.VERIFY_LIMIT.limit({ key });
    if (!success) throw tooMany(60);
  }
  valueOf(await mailVerification(c.env, resolved, visitor, email, publicUrlOf(c)));
  return c.json({ email }, 200);
});

/** Opened from a mail, and so outside of the customer's pages. The button is the proof: mail scanners open links, and press no buttons. */
export const chatVerifyPage = new Hono<AppEnv>();

chatVerifyPage.get('/:account_id/verify', async (c) => {
  const found = await verificationIn(c);
  if (!found) return page(c, EXPIRED, 410);
  return page(
    c,
    html`<p>
        Is <strong>${found.email}</strong> your address? Then the chat from which this link was asked for goes on with
        what we know of you. If you are not in that chat yourself, close this page.
      </p>
      <form method="post"><button>Yes, that is me</button></form>`,
    200,
  );
});

chatVerifyPage.post('/:account_id/verify', async (c) => {
  const found = await verificationIn(c);
  if (!found) return page(c, EXPIRED, 410);
  const { visitorId: id, email } = found;
  const resolved = await chatAccount(c);
  const known = await prove(c.env, resolved, { id, name: '', email: '' }, { name: '', email, phone_number: '' });
  valueOf(await introduce(c.env, resolved, known));
  return page(c, html`<p>Thank you. You can close this page and go on in the chat.</p>`, 200);
});

const EXPIRED = html`<p>This link is not good any more. Ask for another one in the chat.</p>`;

const verificationIn = (c: AppContext) =>
  readVerification(c.req.query('token') ?? '', accountIdOf(c), configOf(c.env).JWT_SECRET);

const STYLE =
  'body{font:18px/1.5 system-ui,sans-serif;max-width:34em;margin:15vh auto;padding:0 1em}button{font:inherit;padding:.6em 1.2em}';

function page(c: AppContext, content: ReturnType<typeof html>, status: 200 | 410): Response | Promise<Response> {
  c.header(
    'Content-Security-Policy',
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  );
  c.header('Referrer-Policy', 'no-referrer');
  const document = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>Your e-mail address</title>
        <style>
          ${STYLE}
        </style>
      </head>
      <body>
        <main>${content}</main>
      </body>
    </html>`;
  return c.html(document, status);
}
