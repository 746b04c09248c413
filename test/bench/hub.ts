import { SECRETS, startRuntime, type Runtime } from './runtime.ts';
import { telnyxReceived, telnyxSigner } from '../fakes/providers.ts';

const NUMBER = '+15550100000';

type Request = (client: number, count: number) => Promise<void>;

/** The hub with an account or two: inbound by signed provider hooks, sends over the API. */
export async function startHub() {
  const runtime = await startRuntime();
  return { requests: await prepare(runtime), stop: runtime.stop };
}

async function prepare({ origin, call }: Runtime): Promise<[string, Request][]> {
  const who = { name: 'Bench', username: 'bench@localhost' };
  const { accesskey } = await call('POST', '/v1.0/customers', SECRETS.BOOTSTRAP_TOKEN, who);
  const account = (provider_data: Record<string, string>, rest = {}) =>
    call('POST', '/v1.0/conversation_accounts', accesskey.token, {
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
    await call('POST', `/v1.0/conversations/${id}/messages`, accesskey.token, { text: `message ${count}` });
  };
  const open = async (client: number): Promise<string> => {
    const from = `+1556${String(client).padStart(7, '0')}`;
    const { conversation_id: id } = await call('POST', '/v1.0/sandbox/inbound', accesskey.token, {
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
