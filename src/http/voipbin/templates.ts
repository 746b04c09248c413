import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../context.ts';
import { ApiError, invalidField } from '../errors.ts';
import { allow } from '../middleware/authenticate.ts';
import { answer, failures, idParam, security } from '../openapi.ts';
import { newRouter } from '../router.ts';
import type { Channel } from '../../channels/contract.ts';
import { channelOf } from '../../channels/registry.ts';
import { renderTemplate, type Template, type TemplateUse } from '../../domain/content.ts';
import { ok } from '../../domain/result.ts';
import { channelIo } from '../../sandbox/channel-io.ts';
import { findAccount, type Account } from '../../storage/accounts.ts';
import { DirectoryCache } from '../../storage/cache.ts';

const templateSchema = z
  .object({
    name: z.string(),
    language: z.string().openapi({ example: 'en_US' }),
    category: z.string(),
    text: z.string().openapi({ example: 'Hello {{1}}, your order is on its way.' }),
    parameters: z.number().int().openapi({ description: 'How many its text takes' }),
  })
  .openapi('Template');

const listRoute = createRoute({
  tags: ['Accounts'],
  security,
  middleware: allow('manager-or-admin'),
  method: 'get',
  path: '/{id}/templates',
  summary: 'The approved templates of an account; none on channels that have no templates',
  request: idParam,
  responses: {
    ...answer(z.object({ result: z.array(templateSchema), next_page_token: z.string() }), 'All of them'),
    ...failures('PERMISSION_DENIED', 'CONVERSATION_ACCOUNT_NOT_FOUND', 'TEMPLATES_NOT_AVAILABLE'),
  },
});

export const templateRoutes = newRouter();

templateRoutes.openapi(listRoute, async (c) => {
  const account = await findAccount(c.env, c.get('principal').customerId, c.req.valid('param').id);
  const channel = account && channelOf(account.type, account.providerData);
  if (!channel) throw new ApiError('CONVERSATION_ACCOUNT_NOT_FOUND');
  return c.json({ result: await approvedTemplates(c.env, account, channel), next_page_token: '' }, 200);
});

const cache = new DirectoryCache<Template[]>();

/** At most a few seconds old, also while the provider is away. @throws TEMPLATES_NOT_AVAILABLE */
async function approvedTemplates(env: Env, account: Account, channel: Channel): Promise<Template[]> {
  return cache.get(account.id, async () => {
    const listed = (await channel.listTemplates?.(account, channelIo(env))) ?? ok([]);
    if (listed.ok) return listed.value;
    throw new ApiError('TEMPLATES_NOT_AVAILABLE', undefined, { provider_error: listed.error });
  });
}

/** What may still be sent when the time for free text is over; nothing where the provider does not tell. */
export const usableTemplates = (env: Env, account: Account, channel: Channel): Promise<Template[]> =>
  approvedTemplates(env, account, channel).catch(() => []);

/** How the template reads. @throws 400 for one that is unknown, or has other parameters. */
export async function templateText(
  c: AppContext,
  account: Account,
  channel: Channel,
  wanted: TemplateUse,
): Promise<string> {
  if (!channel.listTemplates) throw invalidField('template', `${channel.label} has no templates`);
  const templates = await approvedTemplates(c.env, account, channel);
  const named = templates.filter(({ name }) => name === wanted.name);
  if (named.length === 0) throw invalidField('template.name', 'is not an approved template of this account');
  const template = named.find(({ language }) => language === wanted.language);
  if (!template) {
    const languages = named.map(({ language }) => language).join(', ');
    throw invalidField('template.language', `must be one of ${languages}`);
  }
  if (template.parameters !== wanted.parameters.length)
    throw invalidField('template.parameters', `must be ${template.parameters}, and are ${wanted.parameters.length}`);
  return renderTemplate(template, wanted.parameters);
}
