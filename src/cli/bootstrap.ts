import { parseArgs } from 'node:util';
import { call, textAt } from './api.ts';
import { readSecrets } from './secrets.ts';
import { readSettings, UsageError } from './settings.ts';

const USAGE = 'npm run bootstrap -- --username you@example.com [--url https://…] [--name Name] [--password Password]';

/** `npm run bootstrap`: creates a customer and its administrator on a running Parley, local or deployed. */
async function bootstrap(args: string[]): Promise<void> {
  const { url, username, name, password } = readArgs(args);
  const body = { name: name ?? username, username, ...(password === undefined ? {} : { password }) };
  const answer = await call(new URL('/v1.0/customers', originOf(url)).href, tokenFor(url), { body });
  console.log(`Customer    ${textAt(answer, 'customer', 'id')}`);
  console.log(`Username    ${textAt(answer, 'agent', 'username')}`);
  console.log(`Password    ${textAt(answer, 'password')}`);
  console.log(`Access key  ${textAt(answer, 'accesskey', 'token')}`);
  console.log('The password and the access key are shown only once.');
}

interface Args {
  url: string | undefined;
  username: string;
  name: string | undefined;
  password: string | undefined;
}

function readArgs(args: string[]): Args {
  const text = { type: 'string' } as const;
  try {
    const { values } = parseArgs({ args, options: { url: text, username: text, name: text, password: text } });
    const { url, username, name, password } = values;
    if (username) return { url, username, name, password };
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${USAGE}`);
  }
  throw new UsageError(`--username is missing.\n${USAGE}`);
}

/** The token gives access to every customer, so it must not be sent unencrypted. */
function originOf(url: string | undefined): URL {
  const parsed = URL.parse(url ?? readSettings(process.env).origin);
  if (!parsed) throw new UsageError(`--url is not a URL: ${url}`);
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(parsed.hostname);
  if (parsed.protocol === 'https:' || (parsed.protocol === 'http:' && isLocal)) return parsed;
  throw new UsageError('--url must begin with https:// (http:// only for this machine).');
}

function tokenFor(url: string | undefined): string {
  const token = url === undefined ? readSecrets()['BOOTSTRAP_TOKEN'] : process.env['BOOTSTRAP_TOKEN'];
  if (token) return token;
  throw new UsageError(
    url === undefined
      ? '.dev.vars holds no BOOTSTRAP_TOKEN yet: run npm start first.'
      : 'Set BOOTSTRAP_TOKEN in the environment to the Worker secret of that name.',
  );
}

/** "fetch failed" alone would leave the reader guessing. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (!(error.cause instanceof Error)) return error.message;
  const hint = 'Is Parley running there? A local one on another port needs the same PORT here.';
  return `${error.message} (${error.cause.message || error.cause.name}). ${hint}`;
}

try {
  await bootstrap(process.argv.slice(2));
} catch (error) {
  console.error(explain(error));
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
