import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convertV4MiniflareOptions, Miniflare } from 'miniflare';
import { unstable_readConfig } from 'wrangler';
import { buildAssets } from '../../src/cli/build-assets.ts';

export const SECRETS = {
  JWT_SECRET: 'a-secret-for-the-bench-that-is-long-enough',
  ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64'),
  BOOTSTRAP_TOKEN: 'bootstrap-token-for-the-bench',
};

/** No provider is ever reached, and no limit either. */
const VARS = {
  ALLOW_PRIVATE_TARGETS: 'true',
  LINE_API_BASE: 'http://127.0.0.1:9',
  LINE_DATA_API_BASE: 'http://127.0.0.1:9',
  TWILIO_API_BASE: 'http://127.0.0.1:9',
  TELNYX_API_BASE: 'http://127.0.0.1:9',
};
const LIMIT = 1_000_000;

// oxlint-disable-next-line typescript/no-explicit-any -- answers of every shape
export type Json = any;
export type Call = (method: string, path: string, credential: string, body?: unknown) => Promise<Json>;

export interface Runtime {
  origin: string;
  call: Call;
  stop: () => Promise<void>;
}

/** The hub as it is deployed, on this machine: the built bundle with the bindings of wrangler.toml. */
export async function startRuntime(): Promise<Runtime> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-bench-'));
  buildAssets();
  execFileSync('wrangler', ['deploy', '--dry-run', '--outdir', folder], { stdio: 'ignore' });
  const runtime = newRuntime(folder);
  const origin = String(await runtime.ready).replace(/\/$/, '');
  await migrate(runtime);
  const stop = async () => {
    await runtime.dispose();
    rmSync(folder, { recursive: true });
  };
  return { origin, call: callAt(origin), stop };
}

/** What we read of wrangler.toml; wrangler publishes this function without its types. */
interface Config {
  compatibility_date: string;
  compatibility_flags: string[];
  vars: Record<string, string>;
  durable_objects: { bindings: { name: string; class_name: string }[] };
  ratelimits: { name: string; simple: { period: 10 | 60 } }[];
}

function newRuntime(folder: string): Miniflare {
  const config = unstable_readConfig({ config: 'wrangler.toml' }) as Config;
  const objects = config.durable_objects.bindings.map(
    ({ name, class_name: className }) => [name, { className, useSQLite: true }] as const,
  );
  const limits = config.ratelimits.map(
    ({ name, simple: { period } }, index) =>
      [name, { namespace_id: String(index), simple: { limit: LIMIT, period } }] as const,
  );
  return new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: readFileSync(join(folder, 'worker.js'), 'utf8'),
      compatibilityDate: config.compatibility_date,
      compatibilityFlags: config.compatibility_flags,
      bindings: { ...config.vars, ...VARS, ...SECRETS },
      d1Databases: ['DB'],
      durableObjects: Object.fromEntries(objects),
      queueProducers: { CHANNEL_SENDS: 'channel-sends', WEBHOOKS: 'webhooks' },
      queueConsumers: {
        'channel-sends': { maxBatchSize: 20, maxBatchTimeout: 0 },
        webhooks: { maxBatchSize: 20, maxBatchTimeout: 0 },
      },
      ratelimits: Object.fromEntries(limits),
    }),
  );
}

async function migrate(runtime: Miniflare): Promise<void> {
  const db = await runtime.getD1Database('DB');
  const files = readdirSync('migrations').filter((name) => name.endsWith('.sql'));
  for (const file of files.toSorted()) {
    const statements = readFileSync(join('migrations', file), 'utf8').split('--> statement-breakpoint');
    for (const statement of statements) await db.prepare(statement).run();
  }
}

const callAt =
  (origin: string): Call =>
  async (method, path, credential, body) => {
    const headers = { authorization: `Bearer ${credential}`, 'content-type': 'application/json' };
    const said = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(`${origin}${path}`, { method, headers, ...said });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return await response.json();
  };
