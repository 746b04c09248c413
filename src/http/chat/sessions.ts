import { createRoute, z } from '@hono/zod-openapi';
import { chatAccount, visitorOf } from './visitor.ts';
import type { AppContext } from '../context.ts';
import { invalidField, tooMany, valueOf } from '../errors.ts';
import { answer, body, failures } from '../openapi.ts';
import { newRouter } from '../router.ts';
import type { ResolvedAccount } from '../../app/accounts.ts';
import { introduce, knownVisitor, prove, provedBy, type KnownVisitor } from '../../app/contacts/visitor.ts';
import { wellFormed } from '../../domain/content.ts';
import { configOf } from '../../env.ts';
import { addressText } from '../../domain/conversation/identity/participants.ts';
import { readIdentity, type Identity } from '../../security/identity-token.ts';
import { signVisitor, type Visitor } from '../../security/visitor-token.ts';

const wantedSchema = z
  .object({
    visitor_token: z
      .string()
      .max(4096)
      .optional()
      .openapi({ description: 'The token of an earlier session; if absent, a new visitor begins' }),
    name: z.string().trim().max(100).transform(wellFormed).optional(),
    email: z
      .union([z.literal(''), z.email('must be an e-mail address').max(254)])
      .optional()
      .openapi({
        description:
          'As typed: answers go there when the visitor has left. It is not verified, and gives access to no earlier messages',
      }),
    identity_token: z.string().max(4096).optional().openapi({
      description:
        'A JWT (HS256, with `exp`) signed with the account’s secret: `{email?, phone_number?, name?}`. Joins the visitor with that contact',
    }),
  })
  .openapi('NewChatSession');

const sessionSchema = z
  .object({
    visitor_token: z.string().openapi({ description: 'The bearer of everything below; keep it over reloads' }),
    conversation_id: z
      .uuid()
      .openapi({ description: 'The conversation of the next message, as far as it is known now' }),
    name: z.string(),
    email: z.string(),
    is_verified: z
      .boolean()
      .openapi({ description: 'Whether the site has vouched for who this is, or a mailed link was opened' }),
  })
  .openapi('ChatSession');

const sessionRoute = createRoute({
  tags: ['Web chat'],
  method: 'post',
  path: '/{account_id}/sessions',
  summary: 'Start or resume a visitor’s session; idempotent',
  request: { params: z.object({ account_id: z.string() }), ...body(wantedSchema) },
  responses: {
    ...answer(sessionSchema, 'The session'),
    ...failures('CONVERSATION_ACCOUNT_NOT_FOUND', 'ORIGIN_NOT_ALLOWED', 'INVALID_CREDENTIALS'),
  },
});

export const chatSessionRoutes = newRouter();

chatSessionRoutes.openapi(sessionRoute, async (c) => {
  const { success } = await c.env.CHAT_LIMIT.limit({ key: `new ${c.req.header('cf-connecting-ip') ?? ''}` });
  if (!success) throw tooMany(60);
  const wanted = c.req.valid('json');
  const resolved = await chatAccount(c);
  const { visitor_token: token, identity_token: proof } = wanted;
  const identity = proof === undefined ? null : await readIdentity(proof, resolved.account.secret);
  if (proof !== undefined && !identity)
    throw invalidField(
      'identity_token',
      'must be a JWT (HS256) signed with this account’s secret, with an expiry and an address',
    );
  const visitor = { ...(token === undefined ? NOBODY() : await visitorOf(c, token)), ...typed(wanted) };
  const known = await whoIs(c, resolved, visitor, identity);
  const conversation_id = valueOf(await introduce(c.env, resolved, known));
  const secret = configOf(c.env).JWT_SECRET;
  const visitor_token = await signVisitor(known.visitor, resolved.account.id, secret, Date.now());
  return c.json({ visitor_token, conversation_id, ...shown(known) }, 200);
});

const NOBODY = (): Visitor => ({ id: crypto.randomUUID(), name: '', email: '' });

/** With the site's word of who it is. Another one than was proved before is another visitor, in the same browser: neither sees the other's. */
async function whoIs(
  c: AppContext,
  resolved: ResolvedAccount,
  visitor: Visitor,
  identity: Identity | null,
): Promise<KnownVisitor> {
  const known = await knownVisitor(c.env, resolved, visitor);
  if (!identity) return known;
  const isSame = provedBy(identity).some((one) =>
    known.proved.some((other) => addressText(one) === addressText(other)),
  );
  const isOther = known.proved.length > 0 && !isSame;
  return prove(c.env, resolved, isOther ? NOBODY() : visitor, identity);
}

const typed = ({ name, email }: z.infer<typeof wantedSchema>): Partial<Visitor> => ({
  ...(name ? { name } : {}),
  ...(email ? { email: email.toLowerCase() } : {}),
});

const shown = ({ visitor, name, proved }: KnownVisitor) => ({
  name: name || visitor.name,
  email: proved.find(({ type }) => type === 'email')?.target ?? visitor.email,
  is_verified: proved.length > 0,
});
