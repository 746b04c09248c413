import type { AppContext } from './context.ts';
import { ApiError, invalidField } from './errors.ts';
import type { Channel } from '../channels/contract.ts';
import { renderTemplate, type Template, type TemplateUse } from '../domain/content.ts';
import { ok } from '../domain/result.ts';
import { channelIo } from '../sandbox/channel-io.ts';
import type { Account } from '../storage/accounts.ts';
import { DirectoryCache } from '../storage/cache.ts';

const cache = new DirectoryCache<Template[]>();

/** At most a few seconds old, also while the provider is away. @throws TEMPLATES_NOT_AVAILABLE */
export async function approvedTemplates(env: Env, account: Account, channel: Channel): Promise<Template[]> {
  return cache.get(account.id, async () => {
    const listed = (await channel.listTemplates?.(account, channelIo(env))) ?? ok([]);
    if (listed.ok) return listed.value;
    throw new ApiError('TEMPLATES_NOT_AVAILABLE', undefined, { provider_error: listed.error });
  });
}

/** What may still be sent when the time for free text is over; nothing where the provider does not tell. */
export const usableTemplates = (env: Env, account: Account, channel: Channel): Promise<Template[]> =>
  approvedTemplates(env, account, channel)
    .then((all) => all.filter(({ needs }) => needs === null))
    .catch(() => []);

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
  if (template.needs !== null)
    throw invalidField('template.name', `requires ${template.needs}, which Parley cannot fill`);
  if (template.parameters !== wanted.parameters.length)
    throw invalidField(
      'template.parameters',
      `expects ${template.parameters} parameters, got ${wanted.parameters.length}`,
    );
  return renderTemplate(template, wanted.parameters);
}
