import { createRoute, z } from '@hono/zod-openapi';
import { ApiError, valueOf } from '../errors.ts';
import { allow } from '../middleware/authenticate.ts';
import { answer, failures, idParam, security } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { resolvedOf } from '../../app/accounts.ts';
import { approvedTemplates } from '../../app/conversations/templates.ts';
import { findAccount } from '../../storage/accounts.ts';

const templateSchema = z
  .object({
    name: z.string(),
    language: z.string().openapi({ example: 'en_US' }),
    category: z.string(),
    text: z.string().openapi({ example: 'Hello {{1}}, your order is on its way.' }),
    parameters: z.number().int().openapi({ description: 'The number of parameters in its text' }),
    needs: z
      .string()
      .nullable()
      .openapi({ description: 'What else the template requires, so that Parley cannot send it; otherwise null' }),
  })
  .openapi('Template');

const listRoute = createRoute({
  tags: ['Accounts'],
  security,
  middleware: allow('manager-or-admin'),
  method: 'get',
  path: '/{id}/templates',
  summary: 'List the approved templates of an account; empty on channels without templates',
  request: idParam,
  responses: {
    ...answer(z.object({ result: z.array(templateSchema), next_page_token: z.string() }), 'All of them'),
    ...failures('PERMISSION_DENIED', 'CONVERSATION_ACCOUNT_NOT_FOUND', 'TEMPLATES_NOT_AVAILABLE'),
  },
});

export const templateRoutes = newRouter();

templateRoutes.openapi(listRoute, async (c) => {
  const resolved = resolvedOf(await findAccount(c.env, c.get('principal').customerId, c.req.valid('param').id));
  if (!resolved) throw new ApiError('CONVERSATION_ACCOUNT_NOT_FOUND');
  return c.json({ result: valueOf(await approvedTemplates(c.env, resolved)), next_page_token: '' }, 200);
});
