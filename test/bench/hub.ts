import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convertV4MiniflareOptions, Miniflare } from 'miniflare';
import { telnyxReceived, telnyxSigner } from '../fakes/providers.ts';

const SECRETS = {
  JWT_SECRET: 'a-secret-for-the-bench-that-is-long-enough',
  ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64'),
  BOOTSTRAP_TOKEN: 'bootstrap-token-for-the-bench',
};
const NUMBER = '+15550100000';

// oxlint-disable-next-line typescript/no-explicit-any -- answers of every shape
type Json = any;
type Request = (client: number, count: number) => Promise<void>;

/** The hub as it is deployed, on this machine: inbound by signed provider hooks, sends over the API. */
export async function startHub() {
  const folder = mkdtempSync(join(tmpdir(), 'parley-bench-'));
  execFileSync('wrangler', ['deploy', '--dry-run', '--outdir', folder], { stdio: 'ignore' });
  const runtime = newRuntime(folder);
  const origin = String(await runtime.ready).replace(/\/$/, '');
  await migrate(runtime);
  const requests = await prepare(origin);
  const stop = async () => {
    await runtime.dispose();
    rmSync(folder, { recursive: true });
  };
  return { requests, stop };
}

const newRuntime = (folder: string): Miniflare =>
  new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: readFileSync(join(folder, 'worker.js'), 'utf8'),
      compatibilityDate: '2026-10-01',
      compatibilityFlags: ['nodejs_compat'],
      bindings: {
        ...SECRETS,
        PUBLIC_URL: '',
        ALLOW_PRIVATE_TARGETS: 'true',
        ALLOWED_ORIGINS: '',
        LINE_API_BASE: 'http://127.0.0.1:9',
        LINE_DATA_API_BASE: 'http://127.0.0.1:9',
        TWILIO_API_BASE: 'http://127.0.0.1:9',
        TELNYX_API_BASE: 'http://127.0.0.1:9',
      },
      d1Databases: ['DB'],
      durableObjects: {
        CONVERSATION: { className: 'ConversationObject', useSQLite: true },
        ADDRESS: { className: 'AddressObject', useSQLite: true },
      },
      queueProducers: { CHANNEL_SENDS: 'channel-sends', WEBHOOKS: 'webhooks' },
      queueConsumers: {
        'channel-sends': { maxBatchSize: 20, maxBatchTimeout: 0 },
        webhooks: { maxBatchSize: 20, maxBatchTimeout: 0 },
      },
      ratelimits: {
        API_LIMIT: { namespace_id: '1', simple: { limit: 1_000_000, period: 10 } },
        HOOK_LIMIT: { namespace_id: '2', simple: { limit: 1_000_000, period: 10 } },
        LOGIN_LIMIT: { namespace_id: '3', simple: { limit: 1_000_000, period: 60 } },
      },
    }),
  );

async function migrate(runtime: Miniflare): Promise<void> {
  const db = await runtime.getD1Database('DB');
  const statements = readFileSync('migrations/0000_directory_and_history.sql', 'utf8').split(
    '--> statement-breakpoint',
  );
  for (const statement of statements) await db.prepare(statement).run();
}

async function prepare(origin: string): Promise<[string, Request][]> {
  const post = async (path: string, credential: string, body: unknown): Promise<Json> => {
    const headers = { authorization: `Bearer ${credential}`, 'content-type': 'application/json' };
    const response = await fetch(`${origin}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return await response.json();
  };
  const { accesskey } = await post('/v1.0/customers', SECRETS.BOOTSTRAP_TOKEN, {
    name: 'Bench',
    username: 'bench@localhost',
  });
  const account = (provider_data: Record<string, string>, rest = {}) =>
    post('/v1.0/conversation_accounts', accesskey.token, {
      type: 'sms',
      provider_data: { ...provider_data, number: NUMBER },
      ...rest,
    });
  const signer = telnyxSigner();
  const telnyx = await account({ provider: 'telnyx' }, { secret: signer.publicKey, token: 'none' });
  const sandbox = await account({ provider: 'sandbox' });
  const conversations = new Map<number, string>();

  const receive: Request = async (client, count) => {
    const from = `+1555${String(client).padStart(7, '0')}`;
    const response = await fetch(
      `${origin}/hooks/${telnyx.id}`,
      signer.request(telnyxReceived(from, NUMBER, `message ${count}`)),
    );
    if (!response.ok) throw new Error(`hook: ${response.status}`);
    await response.arrayBuffer();
  };
  const send: Request = async (client, count) => {
    const id = conversations.get(client) ?? (await open(client));
    await post(`/v1.0/conversations/${id}/messages`, accesskey.token, { text: `message ${count}` });
  };
  const open = async (client: number): Promise<string> => {
    const from = `+1556${String(client).padStart(7, '0')}`;
    const { conversation_id: id } = await post('/v1.0/sandbox/inbound', accesskey.token, {
      account_id: sandbox.id,
      from,
      text: 'hello',
    });
    conversations.set(client, id);
    return id;
  };
  return [
    ['inbound: signed hook, stored and ordered', receive],
    ['send: accepted, stored and ordered', send],
  ];
}
