import { globSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, extname, join } from 'node:path';
import { expect } from 'vitest';
import type {
  Channel,
  ChannelAccount,
  ChannelIo,
  HookContent,
  HookRequest,
  Outbound,
} from '../../../src/channels/contract.ts';
import { address } from '../../../src/domain/addresses.ts';
import { telnyxSigner, type SignedRequest } from '../../fakes/providers.ts';

export const NOW = Date.parse('2026-11-21T10:00:00Z');
export const ACCOUNT_SID = 'AC00112233445566778899aabbccddeeff';
export const CONVERSATION = '64558b45-40a8-43db-b814-9c0dbf6d47b5';
export const DELIVERY = '1f0a4f2e-0d52-4b66-9d2e-3c52dd5c5b11';
export const STATUS_URL = `https://parley.example/hooks/a1/status?conversation=${CONVERSATION}&delivery=${DELIVERY}`;
export const signer = telnyxSigner();

const common = { id: 'a1b2c3d4-e5f6-4890-abcd-ef1234567890', customerId: '5e4a0680-804e-11ec-8477-2fea5968d85b' };

/** An account of each channel, with secrets that must show up nowhere. */
export const accounts: Record<string, ChannelAccount> = {
  line: { ...common, secret: 'line-channel-secret', token: 'line-access-token', providerData: {} },
  'sms/twilio': {
    ...common,
    secret: '',
    token: 'twilio-auth-token',
    providerData: { provider: 'twilio', account_sid: ACCOUNT_SID, number: '+18005550100' },
  },
  'sms/telnyx': {
    ...common,
    secret: signer.publicKey,
    token: 'telnyx-api-key',
    providerData: { provider: 'telnyx', number: '+17735550002' },
  },
  whatsapp: {
    ...common,
    secret: 'meta-app-secret',
    token: 'whatsapp-access-token',
    providerData: {
      phone_number_id: '106540352242922',
      number: '+15550783881',
      verify_token: 'whatsapp-verify-token',
      waba_id: '102290129340398',
    },
  },
  messenger: {
    ...common,
    secret: 'meta-app-secret',
    token: 'page-access-token',
    providerData: { page_id: '104325681234567', verify_token: 'messenger-verify-token' },
  },
  email: { ...common, secret: '', token: '', providerData: { address: 'support@shop.example' } },
  chat: { ...common, secret: '', token: '', providerData: { allowed_origins: ['https://shop.example'] } },
  'sms/sandbox': { ...common, secret: '', token: '', providerData: { provider: 'sandbox', number: '+15550001111' } },
};

export function accountOf(id: string): ChannelAccount {
  const account = accounts[id];
  if (!account) throw new Error(`no test account for ${id}: add one`);
  return account;
}

export const hook = (
  body: string | Uint8Array,
  headers: Record<string, string> = {},
  url = 'https://parley.example/hooks/a1',
): HookRequest => ({
  method: 'POST',
  url,
  headers: new Headers(headers),
  body: typeof body === 'string' ? new TextEncoder().encode(body) : body,
});

export const signedHook = (request: SignedRequest, url?: string): HookRequest =>
  hook(request.body, request.headers, url);

export const changed = (request: HookRequest, name: string, value: string | null): HookRequest => {
  const headers = new Headers(request.headers);
  if (value === null) headers.delete(name);
  else headers.set(name, value);
  return { ...request, headers };
};

/** The provider payloads under test/fixtures, by name. */
export function fixtures(folder: string): [name: string, body: string][] {
  const files = globSync(join(import.meta.dirname, '../../fixtures', folder, '*')).toSorted();
  expect(files.length).toBeGreaterThan(0);
  return files.map((file) => [basename(file, extname(file)), readFileSync(file, 'utf8').trim()]);
}

export function fixture(folder: string, name: string): string {
  const found = fixtures(folder).find(([one]) => one === name);
  if (!found) throw new Error(`no fixture ${folder}/${name}`);
  return found[1];
}

export function content(channel: Channel, body: string, url?: string): HookContent {
  const parsed = channel.parse(hook(body, {}, url), accountOf(channel.id), NOW);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

export const io = (base: string, timeoutMs = 300): ChannelIo => ({
  fetch: (url, init) => fetch(url, init),
  bases: { line: base, lineData: base, twilio: base, telnyx: base, meta: base, sandbox: base },
  mayRead: (url) => url.startsWith('http'),
  sendMail: () => Promise.resolve('<sent@platform.example>'),
  readFile: () => Promise.resolve(new Uint8Array([1, 2, 3])),
  timeoutMs,
});

export const outbound = (parts: Partial<Outbound> = {}): Outbound => ({
  deliveryId: DELIVERY,
  conversationId: CONVERSATION,
  messageId: '0c8f23cb-e878-49bf-b69e-03f59252f217',
  to: '+12065550123',
  from: address('tel', '+18005550100'),
  text: 'hello',
  medias: [],
  template: null,
  asHuman: false,
  replyToken: null,
  mail: null,
  statusCallbackUrl: STATUS_URL,
  ...parts,
});

/** An address where nobody listens. */
export async function deadUrl(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (bound === null || typeof bound === 'string') throw new Error('the server had no port');
  return `http://127.0.0.1:${bound.port}`;
}
