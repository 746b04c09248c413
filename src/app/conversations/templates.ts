import type { ResolvedAccount } from '../accounts.ts';
import { channelIo } from '../channel-io.ts';
import { renderTemplate, type Template, type TemplateUse } from '../../domain/content.ts';
import type { Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { DirectoryCache } from '../../storage/cache.ts';

class Unavailable extends Error {}

const cache = new DirectoryCache<Template[]>();

/** The approved templates of an account, at most a few seconds old, also while the provider is away; none on channels without templates. */
export async function approvedTemplates(
  env: Env,
  { account, channel }: ResolvedAccount,
): Promise<Result<Template[], Refusal>> {
  try {
    // The cache keeps an older list where the load throws.
    const load = async () => {
      const listed = (await channel.listTemplates?.(account, channelIo(env))) ?? ok([]);
      if (listed.ok) return listed.value;
      throw new Unavailable(listed.error);
    };
    return ok(await cache.get(account.id, load));
  } catch (error) {
    if (error instanceof Unavailable) return err({ code: 'TEMPLATES_NOT_AVAILABLE', providerError: error.message });
    throw error;
  }
}

/** What may still be sent after the service window; nothing where the provider does not list its templates. */
export async function sendableTemplates(env: Env, resolved: ResolvedAccount): Promise<Template[]> {
  const listed = await approvedTemplates(env, resolved).catch(() => ok([]));
  return listed.ok ? listed.value.filter(({ needs }) => needs === null) : [];
}

/** The template as it reads with its parameters. Refused when it is unknown, or expects other parameters. */
export async function templateText(
  env: Env,
  resolved: ResolvedAccount,
  wanted: TemplateUse,
): Promise<Result<string, Refusal>> {
  const { channel } = resolved;
  if (!channel.listTemplates) return invalid('template', `${channel.label} has no templates`);
  const listed = await approvedTemplates(env, resolved);
  if (!listed.ok) return listed;
  const named = listed.value.filter(({ name }) => name === wanted.name);
  if (named.length === 0) return invalid('template.name', 'is not an approved template of this account');
  const template = named.find(({ language }) => language === wanted.language);
  if (!template) {
    const languages = named.map(({ language }) => language).join(', ');
    return invalid('template.language', `must be one of ${languages}`);
  }
  if (template.needs !== null) return invalid('template.name', `requires ${template.needs}, which Parley cannot fill`);
  const [expected, got] = [template.parameters, wanted.parameters.length];
  if (expected !== got)
    return invalid(
      'template.parameters',
      `expects ${expected} ${expected === 1 ? 'parameter' : 'parameters'}, got ${got}`,
    );
  return ok(renderTemplate(template, wanted.parameters));
}

const invalid = (field: string, problem: string) => err({ code: 'INVALID_FIELD', field, problem } as const);
