import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  messengerBody,
  messengerText,
  metaRequest,
  startMeta,
  whatsAppBody,
  whatsAppStatus,
  whatsAppText,
  type MetaFake,
} from '../fakes/meta.ts';
import type { Received } from '../fakes/providers.ts';
import { eventually, type Json, ok } from '../support/http.ts';
import { likeExample } from '../support/seed-shape.ts';
import { startServer, type TestServer } from '../support/server.ts';
import * as seed from '../fixtures/seed-003.ts';
import { readId, writeId } from '../../src/dialects/voicebip/ids.ts';

/** WhatsApp and Messenger over the network, against a Graph API as strict as its documentation. */
const SECRET = 'meta-app-secret';
const TOKEN = 'whatsapp-access-token';
const PHONE_ID = '106540352242922';
const WABA_ID = '102290129340398';
const PAGE_ID = '104325681234567';
const PAGE_TOKEN = 'page-access-token';
const HOUR = 3_600_000;
const NOBODY = '00000000-0000-0000-0000-000000000000';

let server: TestServer;
let meta: MetaFake;
let account: Json;
let agentId: string;
const ours = '+15550783881';

beforeAll(async () => {
  meta = await startMeta({
    token: TOKEN,
    phoneNumberId: PHONE_ID,
    wabaId: WABA_ID,
    page: { id: PAGE_ID, token: PAGE_TOKEN },
  });
  meta.templates.push({
    name: 'order_update',
    language: 'en_US',
    status: 'APPROVED',
    category: 'UTILITY',
    components: [{ type: 'BODY', text: 'Hello {{1}}, order {{2}} is on its way.' }],
  });
  server = await startServer(['--var', `META_GRAPH_BASE:${meta.url}`]);
  const agent = await ok(server.call('POST', '/v1/agents', { name: 'Ada', webhook_url: 'http://127.0.0.1:1/byom' }));
  agentId = agent.agent_id;
  account = await ok(
    server.call('POST', '/v1.0/conversation_accounts', {
      type: 'whatsapp',
      secret: SECRET,
      token: TOKEN,
      provider_data: { phone_number_id: PHONE_ID, number: '+15550783881', verify_token: 'let-me-in', waba_id: WABA_ID },
    }),
  );
});

afterAll(async () => {
  await Promise.all([server?.dispose(), meta?.close()]);
});

afterEach(() => {
  expect(meta.violations).toEqual([]);
});

/** A server of files whose path says how many bytes they have; 0: it does not say. */
async function startSizes() {
  const files = createServer((request, response) => {
    const size = request.url?.slice(1) ?? '0';
    response.writeHead(200, size === '0' ? {} : { 'content-length': size }).end();
  });
  await new Promise<void>((resolve) => files.listen(0, '127.0.0.1', resolve));
  const { port } = files.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => new Promise((resolve) => files.close(resolve)) };
}

let contacts = 0;
const newContact = (): string => `1650555${String((contacts += 1)).padStart(4, '0')}`;

async function deliver(body: unknown, secret = SECRET): Promise<number> {
  const request = metaRequest(secret, body);
  return (await server.as(null)('POST', account.hook_url, request.body, request.headers)).status;
}

/** The contact writes; `hoursAgo` by Meta's clock. @returns its conversation. */
async function says(contact: string, text: string, hoursAgo = 0): Promise<string> {
  expect(await deliver(whatsAppBody(PHONE_ID, whatsAppText(contact, text, Date.now() - hoursAgo * HOUR)))).toBe(200);
  return eventually(async () => {
    const { result } = await ok(server.call('GET', `/v1.0/conversations?peer=${encodeURIComponent(`+${contact}`)}`));
    expect(result.length).toBeGreaterThan(0);
    return result[0].id;
  });
}

/** Numbers are an agent's only while it answers on the account: nobody else's messages may go to it. */
async function asAgentsNumber(work: (ends: Json) => Promise<void>): Promise<void> {
  const path = `/v1.0/conversation_accounts/${account.id}`;
  await ok(server.call('PUT', path, { assistant_id: readId('agt', agentId) }));
  try {
    await work({ agent_id: agentId, from_number: ours });
  } finally {
    await ok(server.call('PUT', path, { assistant_id: NOBODY }));
  }
}

const reply = (id: string, body: Json) => server.call('POST', `/v1.0/conversations/${id}/messages`, body);
const read = (id: string): Promise<Json> => ok(server.call('GET', `/v1.0/conversations/${id}`));
const messageOf = (id: string, messageId: string): Promise<Json> =>
  ok(server.call('GET', `/v1.0/conversations/${id}/messages/${messageId}`));
const sentTo = (contact: string): Received[] => meta.received.filter(({ to }) => to === `+${contact}`);
const waitFor = (contact: string, count: number): Promise<Received> =>
  eventually(() => {
    const sent = sentTo(contact)[count - 1];
    if (!sent) throw new Error(`only ${sentTo(contact).length} sent`);
    return sent;
  });

async function allEvents(): Promise<Json[]> {
  const found: Json[] = [];
  for (let after = '0'; ;) {
    const { result, next_page_token: next } = await ok(server.call('GET', `/v1.0/events?after=${after}&page_size=100`));
    if (result.length === 0) return found;
    found.push(...result);
    after = next;
  }
}

describe('what comes in', () => {
  it('is asked for by a challenge, and taken in when it is signed', async () => {
    const ask = (token: string) =>
      fetch(`${account.hook_url}?hub.mode=subscribe&hub.verify_token=${token}&hub.challenge=1158201444`);
    const right = await ask('let-me-in');
    expect([right.status, await right.text()]).toEqual([200, '1158201444']);
    expect((await ask('wrong')).status).toBe(401);
    const body = whatsAppBody(PHONE_ID, whatsAppText(newContact(), 'forged'));
    expect(await deliver(body, 'not the secret')).toBe(401);
    expect(await deliver('{"object":"page"}')).toBe(400);
  });

  it('is one conversation per contact, once however often it is delivered, with the file behind a picture', async () => {
    const contact = newContact();
    const id = await says(contact, 'hello');
    const picture = meta.putMedia('image/png', new Uint8Array([137, 80, 78, 71]));
    const message = {
      from: contact,
      id: 'wamid.picture',
      timestamp: String(Math.floor(Date.now() / 1000)),
      type: 'image',
    };
    const body = whatsAppBody(PHONE_ID, {
      messages: [{ ...message, image: { id: picture, mime_type: 'image/png', caption: 'look' } }],
    });
    for (let times = 0; times < 3; times += 1) expect(await deliver(body)).toBe(200);
    const { result } = await ok(server.call('GET', `/v1.0/conversations/${id}/messages`));
    expect(result).toMatchObject([{ text: 'look', medias: [{ type: 'image/png' }] }, { text: 'hello' }]);
    const open = async (): Promise<unknown> => {
      const file = await fetch(result[0].medias[0].url, { headers: { authorization: `Bearer ${server.accessKey}` } });
      return [file.status, file.headers.get('content-type'), Array.from(new Uint8Array(await file.arrayBuffer()))];
    };
    const whole = [200, 'image/png', [137, 80, 78, 71]];
    expect(await open()).toEqual(whole);
    // A range is given by our copy alone.
    await eventually(async () => {
      const headers = { authorization: `Bearer ${server.accessKey}`, range: 'bytes=1-2' };
      expect((await fetch(result[0].medias[0].url, { headers })).status).toBe(206);
    });
    meta.dropMedia(picture);
    expect(await open()).toEqual(whole);
    await ok(server.call('DELETE', `/v1.0/conversations/${id}/messages/${result[0].id}`));
    expect(await open()).toMatchObject([404, 'application/json', expect.anything()]);
    expect(await read(id)).toMatchObject({
      type: 'whatsapp',
      peer: { target: `+${contact}`, target_name: 'Ada Lovelace' },
    });
  });

  it('about another number of the same app is that account’s, and about a number of nobody’s is nobody’s', async () => {
    const sibling = await ok(
      server.call('POST', '/v1.0/conversation_accounts', {
        type: 'whatsapp',
        secret: SECRET,
        token: TOKEN,
        provider_data: {
          phone_number_id: '106540352249999',
          number: '+15550789999',
          verify_token: 'let-me-in',
          waba_id: '',
        },
      }),
    );
    const [contact, stranger] = [newContact(), newContact()];
    expect(await deliver(whatsAppBody('106540352249999', whatsAppText(contact, 'hello')))).toBe(200);
    expect(await deliver(whatsAppBody('106540352240000', whatsAppText(stranger, 'hello')))).toBe(200);
    await eventually(async () => {
      const { result } = await ok(server.call('GET', `/v1.0/conversations?account_id=${sibling.id}`));
      expect(result.map(({ peer }: Json) => peer.target)).toEqual([`+${contact}`]);
    });
  });

  it('is one contact’s under its number and under its user id, in either order, and a STOP counts for both', async () => {
    const [contact, other] = [newContact(), newContact()];
    const byUserId = (who: string, text: string) => {
      const message = { id: `wamid.${who}.${text}`, timestamp: `${Math.floor(Date.now() / 1000)}`, type: 'text' };
      const from = { from_user_id: `US.${who}` };
      return whatsAppBody(PHONE_ID, {
        contacts: [{ profile: { name: 'Ada' }, user_id: `US.${who}` }],
        messages: [{ ...message, ...from, text: { body: text } }],
      });
    };
    const id = await says(contact, 'by number');
    expect(await deliver(byUserId(contact, 'by id'))).toBe(200);
    expect(await deliver(byUserId(contact, 'STOP'))).toBe(200);
    const texts = async (conversation: string) => {
      const { result } = await ok(server.call('GET', `/v1.0/conversations/${conversation}/messages`));
      return result.map(({ text }: Json) => text);
    };
    expect(await texts(id)).toEqual(['STOP', 'by id', 'by number']);
    expect((await reply(id, { text: 'x' })).status).toBe(422);
    expect(await deliver(byUserId(other, 'first by id'))).toBe(200);
    const second = await says(other, 'then by number');
    expect(await texts(second)).toEqual(['then by number', 'first by id']);
    await ok(reply(second, { text: 'hello you' }));
    expect((await waitFor(other, 1)).text).toBe('hello you');
    const unnumbered = newContact();
    expect(await deliver(byUserId(unnumbered, 'no number'))).toBe(200);
    await asAgentsNumber(async (ends) => {
      const { conversations } = await ok(server.call('GET', `/v1/conversations?agent_id=${agentId}&page_size=1`));
      expect(conversations[0]).toMatchObject({ to_number: `US.${unnumbered}` });
      for (const to_number of [`US.${unnumbered}`, `US.${other}`]) {
        await ok(server.call('POST', '/v1/messages', { ...ends, channel: 'whatsapp', to_number, body: 'by its id' }));
      }
      const sms = { ...ends, channel: 'sms', to_number: `US.${unnumbered}`, body: 'x' };
      expect((await server.call('POST', '/v1/messages', sms)).body.details).toHaveProperty('to_number');
    });
    expect((await waitFor(other, 2)).text).toBe('by its id');
    await eventually(() => expect(meta.received.some(({ to }) => to === `US.${unnumbered}`)).toBe(true));
  });

  it('of the provider’s own making opens no window, and what was chosen from our buttons opts nobody out', async () => {
    const contact = newContact();
    const id = await says(contact, 'hello', 30);
    const event = (type: string, parts: Json) => {
      const timestamp = String(Math.floor(Date.now() / 1000));
      return whatsAppBody(PHONE_ID, {
        messages: [{ from: contact, id: `wamid.${type}.${contact}`, timestamp, type, ...parts }],
      });
    };
    const changed = { system: { type: 'user_changed_number', body: 'Ada changed', wa_id: '16509990000' } };
    expect(await deliver(event('system', changed))).toBe(200);
    expect((await reply(id, { text: 'x' })).status).toBe(422);
    const button = { interactive: { type: 'button_reply', button_reply: { id: 'cancel_order', title: 'Cancel' } } };
    expect(await deliver(event('interactive', button))).toBe(200);
    expect(await read(id)).toMatchObject({ opt_out: false });
    await ok(reply(id, { text: 'cancelled' }));
  });

  it('by an echo of the business’s own app is a takeover', async () => {
    const contact = newContact();
    const id = await says(contact, 'hello');
    const echo = {
      from: '15550783881',
      to: contact,
      id: `wamid.echo.${contact}`,
      timestamp: '1',
      type: 'text',
      text: { body: 'I am on it' },
    };
    expect(await deliver(whatsAppBody(PHONE_ID, { field: 'smb_message_echoes', message_echoes: [echo] }))).toBe(200);
    expect(await read(id)).toMatchObject({ ai_mode: 'human' });
    const { result } = await ok(server.call('GET', `/v1.0/conversations/${id}/messages`));
    expect(result[0]).toMatchObject({
      text: 'I am on it',
      direction: 'outgoing',
      status: 'done',
      sender: { type: 'device' },
    });
    expect(sentTo(contact)).toEqual([]);
  });
});

describe('statuses', () => {
  it.each([
    [['sent', 'delivered', 'read'], 'read'],
    [['read', 'sent', 'delivered'], 'read'],
    [['delivered', 'sent', 'sent'], 'delivered'],
    [['failed', 'delivered'], 'delivered'],
    [['sent', 'failed', 'sent'], 'failed'],
  ])('%j give %s, and never move back', async (statuses, end) => {
    const contact = newContact();
    const id = await says(contact, 'hello');
    const sent = await ok(reply(id, { text: 'hi' }));
    const received = await waitFor(contact, 1);
    for (const status of statuses) {
      const errors = status === 'failed' ? [{ code: 131026, title: 'Message undeliverable' }] : [];
      expect(await deliver(whatsAppBody(PHONE_ID, whatsAppStatus(received, status, errors)))).toBe(200);
    }
    const found = await messageOf(id, sent.id);
    expect(found.deliveries[0]).toMatchObject({ status: end, provider_id: received.id });
  });
});

describe('the window of 24 hours', () => {
  const template = { name: 'order_update', language: 'en_US', parameters: ['Ada', '5678'] };

  it('is kept by Meta’s clock: outside it nothing but a template goes, and the contact’s next message opens it again', async () => {
    const contact = newContact();
    const id = await says(contact, 'hello', 25);
    const refused = await reply(id, { text: 'free text' });
    expect(refused).toMatchObject({
      status: 422,
      body: {
        error: {
          reason: 'WINDOW_CLOSED',
          details: { templates: [{ name: 'order_update', language: 'en_US', parameters: 2 }] },
        },
      },
    });
    const sent = await ok(reply(id, { template }));
    expect(sent).toMatchObject({ text: 'Hello Ada, order 5678 is on its way.', template, status: 'progressing' });
    expect((await waitFor(contact, 1)).method).toBe('template');
    await says(contact, 'thanks');
    await ok(reply(id, { text: 'you are welcome' }));
    expect((await waitFor(contact, 2)).text).toBe('you are welcome');
    expect(sentTo(contact)).toHaveLength(2);
    const { window_expires_at: expires } = await read(id);
    const left = Date.parse(`${expires.replace(' ', 'T')}Z`) - Date.now();
    expect(Math.abs(left - 24 * HOUR)).toBeLessThan(60_000);
  });

  it('is over when Meta says so, whatever we had counted', async () => {
    const contact = newContact();
    const id = await says(contact, 'hello');
    const sent = await ok(reply(id, { text: 'hi' }));
    const error = { code: 131047, title: 'Re-engagement message', error_data: { details: 'More than 24 hours' } };
    expect(await deliver(whatsAppBody(PHONE_ID, whatsAppStatus(await waitFor(contact, 1), 'failed', [error])))).toBe(
      200,
    );
    expect(await messageOf(id, sent.id)).toMatchObject({
      status: 'failed',
      deliveries: [{ error: { code: '131047' } }],
    });
    expect(await reply(id, { text: 'again' })).toMatchObject({
      status: 422,
      body: { error: { reason: 'WINDOW_CLOSED' } },
    });
  });

  it('is the contact’s: it outlives the conversation, and an old verdict does not close what the contact opened since', async () => {
    const contact = newContact();
    const id = await says(contact, 'hello');
    await ok(reply(id, { text: 'hi' }));
    const error = { code: 131047, title: 'Re-engagement message' };
    const failed = whatsAppBody(PHONE_ID, whatsAppStatus(await waitFor(contact, 1), 'failed', [error]));
    expect(await deliver(failed)).toBe(200);
    expect((await reply(id, { text: 'too late' })).status).toBe(422);
    await says(contact, 'here I am again');
    expect(await deliver(failed)).toBe(200);
    await ok(reply(id, { text: 'welcome' }));
    await ok(server.call('PUT', `/v1.0/conversations/${id}`, { ai_mode: 'closed' }));
    await asAgentsNumber(async (ends) => {
      const message = { ...ends, channel: 'whatsapp', to_number: `+${contact}`, body: 'one more thing' };
      const { conversation_id: next } = await ok(server.call('POST', '/v1/messages', message));
      expect(next).not.toBe(writeId('conv', id));
    });
    await waitFor(contact, 3);
  });

  it('announces its end an hour before', async () => {
    const id = await says(newContact(), 'hello', 23.5);
    await eventually(async () => {
      const closing = (await allEvents()).filter(({ type }) => type === 'conversation_window_closing');
      expect(closing.map(({ data }: Json) => data.id)).toEqual([id]);
    });
    await ok(reply(id, { text: 'still in time' }));
  });
});

describe('over /v1', () => {
  it('the list shows the window, as seed 003 has it', async () => {
    const contact = newContact();
    const id = await says(contact, 'hello');
    await asAgentsNumber(async () => {
      const listed = await ok(server.call('GET', `/v1/conversations?channel=whatsapp&agent_id=${agentId}&page_size=1`));
      likeExample(listed, { ...seed.list, next_page_token: listed.next_page_token });
      expect(listed.conversations[0]).toMatchObject({
        conversation_id: writeId('conv', id),
        from_number: ours,
        to_number: `+${contact}`,
      });
    });
  });

  it('free text outside the window is refused with the templates, in a new conversation too, which then is not made', async () => {
    const [late, stranger] = [newContact(), newContact()];
    await says(late, 'hello', 25);
    await asAgentsNumber(async (ends) => {
      for (const contact of [late, stranger]) {
        const message = { ...ends, channel: 'whatsapp', to_number: `+${contact}`, body: 'free text' };
        expect(await server.call('POST', '/v1/messages', message)).toMatchObject({
          status: 422,
          body: { error_code: 'WINDOW_CLOSED', details: { templates: [{ name: 'order_update', parameters: 2 }] } },
        });
        expect(sentTo(contact)).toEqual([]);
      }
      // What comes after it in the log of all is in the list: it would be there too.
      const after = newContact();
      await says(after, 'hello');
      const { result } = await ok(server.call('GET', `/v1.0/conversations?account_id=${account.id}`));
      const peers: string[] = result.map(({ peer }: Json) => peer.target);
      expect(peers).toContain(`+${after}`);
      expect(peers).not.toContain(`+${stranger}`);
    });
  });

  it('a template goes to who never wrote; one that is unknown or has other parameters is 400', async () => {
    const contact = newContact();
    await asAgentsNumber(async (ends) => {
      const good = { ...ends, to_number: `+${contact}`, template_name: 'order_update', language_code: 'en_US' };
      const cases: [Json, string][] = [
        [{ ...good, parameters: ['Ada'] }, 'parameters'],
        [{ ...good, template_name: 'nonsense', parameters: [] }, 'template_name'],
        [{ ...good, language_code: 'fr', parameters: ['Ada', '1'] }, 'language_code'],
      ];
      for (const [body, field] of cases) {
        const refused = await server.call('POST', '/v1/messages/template', body);
        expect(refused, field).toMatchObject({ status: 400, body: { error_code: 'INVALID_ARGUMENT' } });
        expect(Object.keys(refused.body.details)).toEqual([field]);
        expect(refused.body.message).toBe(`${field}: ${refused.body.details[field]}`);
      }
      const sent = await ok(server.call('POST', '/v1/messages/template', { ...good, parameters: ['Ada', '1'] }));
      expect((await waitFor(contact, 1)).method).toBe('template');
      const shown = await ok(server.call('GET', `/v1/conversations/${sent.conversation_id}`));
      expect(shown.messages).toMatchObject([{ message_type: 'template', body: 'Hello Ada, order 1 is on its way.' }]);
    });
  });
});

describe('what WhatsApp would refuse', () => {
  it.each([
    ['an unknown template', { template: { name: 'no_such', language: 'en_US' } }, 'template.name'],
    ['another language', { template: { name: 'order_update', language: 'ko' } }, 'template.language'],
    [
      'too few parameters',
      { template: { name: 'order_update', language: 'en_US', parameters: ['Ada'] } },
      'template.parameters',
    ],
    [
      'a template with a text of its own',
      { text: 'x', template: { name: 'order_update', language: 'en_US' } },
      'template',
    ],
    [
      'a picture of another kind',
      { medias: [{ type: 'image/tiff', url: 'https://example.com/1.tiff' }] },
      'medias.0.type',
    ],
    [
      'a text with a voice message',
      { text: 'x', medias: [{ type: 'audio/ogg', url: 'https://example.com/1.ogg' }] },
      'text',
    ],
    ['a text that is too long', { text: 'x'.repeat(4097) }, 'text'],
  ])('%s is a 400 that names the field', async (_, body, field) => {
    const contact = newContact();
    const id = await says(contact, 'hello');
    expect(await reply(id, body)).toMatchObject({
      status: 400,
      body: { error: { details: { [field]: expect.any(String) } } },
    });
    expect(sentTo(contact)).toEqual([]);
  });

  it('a file that is too large, as its own server says, is a 400; one that does not say is tried', async () => {
    const id = await says(newContact(), 'hello');
    const size = await startSizes();
    try {
      const file = (bytes: number) => ({ medias: [{ type: 'image/png', url: `${size.url}/${bytes}` }] });
      expect(await reply(id, file(6 << 20))).toMatchObject({
        status: 400,
        body: { error: { details: { 'medias.0.url': expect.stringContaining('5242880') } } },
      });
      await ok(reply(id, file(1 << 20)));
      await ok(reply(id, file(0)));
    } finally {
      await size.close();
    }
  });

  it('on a channel without templates a template is', async () => {
    const inbound = { account_id: server.sandboxAccount, from: '+15559990001', text: 'hi' };
    const { conversation_id: id } = await ok(server.call('POST', '/v1.0/sandbox/inbound', inbound));
    const refused = await reply(id, { template: { name: 'x', language: 'en' } });
    expect(refused).toMatchObject({ status: 400, body: { error: { details: { template: expect.any(String) } } } });
    const { result } = await ok(server.call('GET', `/v1.0/conversation_accounts/${account.id}/templates`));
    expect(result).toMatchObject([{ name: 'order_update', parameters: 2 }]);
    expect(
      await ok(server.call('GET', `/v1.0/conversation_accounts/${server.sandboxAccount}/templates`)),
    ).toMatchObject({ result: [] });
  });
});

describe('Messenger', () => {
  let page: Json;
  let admin: string;
  let people = 0;
  const newPerson = (): string => `73000000000${String((people += 1)).padStart(5, '0')}`;

  beforeAll(async () => {
    page = await ok(
      server.call('POST', '/v1.0/conversation_accounts', {
        type: 'messenger',
        secret: SECRET,
        token: PAGE_TOKEN,
        provider_data: { page_id: PAGE_ID, verify_token: 'let-me-in' },
      }),
    );
    const login = { username: 'admin@localhost', password: 'admin@localhost' };
    admin = (await ok(server.as(null)('POST', '/auth/login', login))).token;
  });

  async function hook(...events: Json[]): Promise<number> {
    const request = metaRequest(SECRET, messengerBody(PAGE_ID, ...events));
    return (await server.as(null)('POST', page.hook_url, request.body, request.headers)).status;
  }

  async function writes(contact: string, text: string, hoursAgo = 0): Promise<string> {
    expect(await hook(messengerText(PAGE_ID, contact, text, Date.now() - hoursAgo * HOUR))).toBe(200);
    return eventually(async () => {
      const { result } = await ok(server.call('GET', `/v1.0/conversations?peer=${contact}`));
      expect(result.length).toBeGreaterThan(0);
      return result[0].id;
    });
  }

  const sentToPerson = (contact: string, count: number): Promise<Received> =>
    eventually(() => {
      const sent = meta.received.filter(({ to }) => to === contact)[count - 1];
      if (!sent) throw new Error('not sent');
      return sent;
    });
  const fromPage = (contact: string) => ({
    sender: { id: PAGE_ID },
    recipient: { id: contact },
    timestamp: Date.now(),
  });
  const fromContact = (contact: string) => ({
    sender: { id: contact },
    recipient: { id: PAGE_ID },
    timestamp: Date.now(),
  });

  it('takes messages in once, forged ones not at all, and of several events the readable ones', async () => {
    const contact = newPerson();
    const message = messengerText(PAGE_ID, contact, 'hello');
    const picture = {
      ...fromContact(contact),
      message: {
        mid: `m_p_${contact}`,
        attachments: [{ type: 'image', payload: { url: 'https://cdn.example/1.jpg' } }],
      },
    };
    for (let times = 0; times < 2; times += 1) expect(await hook(message, null, { sender: 7 }, picture)).toBe(200);
    const id = await writes(contact, 'more');
    const { result } = await ok(server.call('GET', `/v1.0/conversations/${id}/messages`));
    expect(result.map(({ text, medias }: Json) => [text, medias.map(({ type }: Json) => type)])).toEqual([
      ['more', []],
      ['', ['image/jpeg']],
      ['hello', []],
    ]);
    const forged = metaRequest('not the secret', messengerBody(PAGE_ID, message));
    expect((await server.as(null)('POST', page.hook_url, forged.body, forged.headers)).status).toBe(401);
    const asked = await fetch(`${page.hook_url}?hub.mode=subscribe&hub.verify_token=let-me-in&hub.challenge=42`);
    expect(await asked.text()).toBe('42');
  });

  it('knows the echo of its own message, and a person’s in Meta’s inbox as a takeover', async () => {
    const contact = newPerson();
    const id = await writes(contact, 'hello');
    await ok(reply(id, { text: 'ours' }));
    const sent = await sentToPerson(contact, 1);
    const echo = (mid: string, text: string, metadata: string) => ({
      ...fromPage(contact),
      message: { mid, text, is_echo: true, app_id: 1, metadata },
    });
    expect(await hook(echo(sent.id, 'ours', sent.key))).toBe(200);
    expect(await read(id)).toMatchObject({ ai_mode: 'ai' });
    expect(await hook(echo(`m_inbox_${contact}`, 'a person', ''))).toBe(200);
    expect(await read(id)).toMatchObject({ ai_mode: 'human' });
    const { result } = await ok(server.call('GET', `/v1.0/conversations/${id}/messages`));
    expect(result.map(({ text }: Json) => text)).toEqual(['a person', 'ours', 'hello']);
  });

  it('moves everything up to a watermark, forward only', async () => {
    const contact = newPerson();
    const id = await writes(contact, 'hello');
    const first = await ok(reply(id, { text: 'one' }));
    const second = await ok(reply(id, { text: 'two' }));
    await sentToPerson(contact, 2);
    const statuses = async () => {
      const found = await Promise.all([first, second].map((message) => messageOf(id, message.id)));
      return found.map(({ deliveries }) => deliveries[0].status);
    };
    await eventually(async () => expect(await statuses()).toEqual(['sent', 'sent']));
    const early = Date.parse(`${first.tm_create.replace(' ', 'T')}Z`) - 1000;
    expect(await hook({ ...fromContact(contact), read: { watermark: early } })).toBe(200);
    expect(await statuses()).toEqual(['sent', 'sent']);
    expect(await hook({ ...fromContact(contact), read: { watermark: Date.now() + 1000 } })).toBe(200);
    expect(await statuses()).toEqual(['read', 'read']);
    expect(await hook({ ...fromContact(contact), delivery: { mids: [], watermark: Date.now() + 1000 } })).toBe(200);
    expect(await statuses()).toEqual(['read', 'read']);
  });

  it('remembers a watermark that comes before the news of the sending, and reads nothing that was sent after it', async () => {
    const contact = newPerson();
    const id = await writes(contact, 'hello');
    meta.failNext({ kind: 'accept-drop' });
    const sent = await ok(reply(id, { text: 'lost answer' }));
    const received = await sentToPerson(contact, 1);
    const echo = {
      ...fromPage(contact),
      message: { mid: received.id, text: 'lost answer', is_echo: true, app_id: 1, metadata: received.key },
    };
    const read = { ...fromContact(contact), read: { watermark: Date.now() } };
    expect(await hook(read, echo)).toBe(200);
    expect((await messageOf(id, sent.id)).deliveries[0]).toMatchObject({ status: 'read', provider_id: received.id });

    meta.failNext({ kind: 'status', status: 429 });
    const later = await ok(reply(id, { text: 'limited' }));
    await eventually(async () =>
      expect((await messageOf(id, later.id)).deliveries[0]).toMatchObject({ attempts: 1, status: 'sending' }),
    );
    expect(await hook({ ...fromContact(contact), read: { watermark: Date.now() } })).toBe(200);
    await sentToPerson(contact, 2);
    await eventually(async () =>
      expect((await messageOf(id, later.id)).deliveries[0]).toMatchObject({ status: 'sent' }),
    );
  });

  it('keeps a reaction, a referral and a file that it cannot read, and lets automation answer none of another app’s', async () => {
    const contact = newPerson();
    const id = await writes(contact, 'hello');
    const gesture = { ...fromContact(contact), reaction: { mid: 'm_1', action: 'react', emoji: '❤' } };
    const unreadable = { ...fromContact(contact), message: { mid: `m_x_${contact}`, attachments: [null] } };
    expect(await hook(gesture, unreadable)).toBe(200);
    const body = messengerBody(PAGE_ID);
    const [entry] = body['entry'] as Json[];
    const standby = [messengerText(PAGE_ID, contact, 'to another app')];
    const request = metaRequest(SECRET, { ...body, entry: [{ ...entry, standby }] });
    expect((await server.as(null)('POST', page.hook_url, request.body, request.headers)).status).toBe(200);
    const { result } = await ok(server.call('GET', `/v1.0/conversations/${id}/messages`));
    expect(result.map(({ text, medias }: Json) => text || medias[0].type)).toEqual([
      'to another app',
      'unsupported',
      'reaction',
      'hello',
    ]);
  });

  it('lets software answer for 24 hours and a person for seven days, with the tag that says so', async () => {
    const contact = newPerson();
    const id = await writes(contact, 'hello', 30);
    expect(await reply(id, { text: 'software' })).toMatchObject({
      status: 422,
      body: { error: { reason: 'WINDOW_CLOSED' } },
    });
    const asAdmin = server.as(admin);
    await ok(asAdmin('POST', `/v1.0/conversations/${id}/messages`, { text: 'a person' }));
    expect(await sentToPerson(contact, 1)).toMatchObject({ text: 'a person', method: 'HUMAN_AGENT' });
    const late = await writes(newPerson(), 'hello', 24 * 8);
    expect((await asAdmin('POST', `/v1.0/conversations/${late}/messages`, { text: 'x' })).status).toBe(422);
    await writes(contact, 'thanks');
    await ok(asAdmin('POST', `/v1.0/conversations/${id}/messages`, { text: 'welcome' }));
    expect(await sentToPerson(contact, 2)).toMatchObject({ text: 'welcome', method: 'RESPONSE' });
  });

  it('refuses a text together with a file, and a text that is too long', async () => {
    const id = await writes(newPerson(), 'hello');
    const medias = [{ type: 'image/png', url: 'https://example.com/1.png' }];
    expect((await reply(id, { text: 'x', medias })).status).toBe(400);
    expect((await reply(id, { text: 'x'.repeat(2001) })).status).toBe(400);
    await ok(reply(id, { medias }));
  });
});
