import { exports } from 'cloudflare:workers';
import { beforeAll, describe, expect, test } from 'vitest';
import { faults, heal } from '../support/faults.ts';
import { eventually, newHub, newSandbox, ok, ORIGIN, type Json } from '../support/hub.ts';
import {
  account,
  conversationsOf,
  dsn,
  hub,
  lastTo,
  mail,
  messagesOf,
  newAddress,
  newMailbox,
  openMailbox,
  own,
  send,
  textsOf,
  theOnly,
} from '../support/mailbox.ts';
import { newSender } from '../support/mails.ts';

beforeAll(() => openMailbox());

const fetchAs = (method: string, path: string, headers: Record<string, string> = {}, body?: Uint8Array<ArrayBuffer>) =>
  exports.default.fetch(`${ORIGIN}${path}`, {
    method,
    headers: { authorization: `Bearer ${hub.accessKey}`, ...headers },
    ...(body ? { body } : {}),
  });

/** A conversation that a mail has begun and that was answered. */
async function answered(text = 'On Friday.') {
  const from = newSender();
  const id = `${crypto.randomUUID()}@company.example`;
  await mail({ from, id, text: 'When?' });
  const conversation = await theOnly(from);
  await send(conversation.id, { text });
  return { from, id, conversation, answer: await lastTo(from) };
}

describe('a mail', () => {
  test('begins a conversation with its subject, once however often it is delivered, and is answered in its thread', async () => {
    const from = newSender();
    const id = `first-${crypto.randomUUID()}@company.example`;
    for (let times = 0; times < 3; times += 1)
      expect(await mail({ from: `Ada Lovelace <${from.toUpperCase()}>`, text: 'Where is it?', id })).toBeNull();
    const conversation = await theOnly(from);
    expect(conversation).toMatchObject({
      type: 'email',
      name: 'E-mail · Ada Lovelace',
      account_id: account.id,
      self: { type: 'email', target: own },
      peer: { type: 'email', target: from, target_name: 'Ada Lovelace' },
    });
    expect(await messagesOf(conversation.id)).toMatchObject([
      { subject: 'Order 5678', text: 'Where is it?', medias: [] },
    ]);

    await send(conversation.id, { text: 'On Friday.' });
    const first = await lastTo(from);
    expect(first).toMatchObject({
      subject: 'Re: Order 5678',
      text: 'On Friday.',
      from: { address: own, name: 'The Shop' },
    });
    expect(first.raw).toMatch(new RegExp(`^In-Reply-To: *<${id}>`, 'm'));
    expect(first.references.at(-1)).toBe(id);
    expect(first.replyTo).toMatch(/^shop-\w+\+[0-9a-z]{20,40}@shop\.example$/);
    await eventually(async () => {
      const [, sent] = await messagesOf(conversation.id);
      expect(sent).toMatchObject({ status: 'done', deliveries: [{ channel: 'email', provider_id: first.sentAs }] });
    });

    await send(conversation.id, { text: 'Or on Monday.', subject: 'A change' });
    const second = await eventually(async () => {
      const last = await lastTo(from);
      expect(last.text).toBe('Or on Monday.');
      return last;
    });
    expect(second.subject).toBe('A change');
    expect(second.references.slice(-2)).toEqual([id, first.sentAs]);
    expect(second.references[0]).toBe(first.references[0]);
    expect(second.kind).toBe('personal');
  });

  test('to the reply address lands in its conversation from any address; a made-up token begins another one', async () => {
    const { conversation, answer } = await answered();
    const colleague = newSender();
    await mail({ from: colleague, to: answer.replyTo.toUpperCase(), text: 'I take over from Ada.' });
    expect(await textsOf(conversation.id)).toEqual(['When?', 'On Friday.', 'I take over from Ada.']);
    const stranger = newSender();
    const forged = answer.replyTo.replace(/.(?=@)/, (last) => (last === 'a' ? 'b' : 'a'));
    await mail({ from: stranger, to: forged, text: 'let me in' });
    expect((await theOnly(stranger)).id).not.toBe(conversation.id);
    expect(await textsOf(conversation.id)).not.toContain('let me in');
  });

  test('that refers to a conversation lands there if its sender is in it, and not otherwise', async () => {
    const sales = newAddress();
    await newMailbox(sales);
    const { from, conversation, answer } = await answered();
    const headers = { References: `<${answer.references[0]}> <${answer.sentAs}>`, 'In-Reply-To': `<${answer.sentAs}>` };
    await mail({ from, to: sales, text: 'the same matter', headers });
    expect(await textsOf(conversation.id)).toContain('the same matter');
    const stranger = newSender();
    await mail({ from: stranger, text: 'a newsletter’s answer', headers });
    expect((await theOnly(stranger)).id).not.toBe(conversation.id);
    const forged = answer.references[0]?.replace(/.(?=@)/, (last) => (last === 'a' ? 'b' : 'a'));
    const other = newAddress();
    await newMailbox(other);
    await mail({ from, to: other, text: 'forged', headers: { References: `<${forged}>` } });
    expect(await textsOf(conversation.id)).not.toContain('forged');
  });

  test('brings its files along, and its HTML made safe; both go with it', async () => {
    const from = newSender();
    const html = '<p onclick="x()">Hi <b>there</b></p><script>alert(1)</script><img src="https://t.example/pixel.gif">';
    const raw = [
      `From: ${from}`,
      `To: ${own}`,
      `Message-ID: <${crypto.randomUUID()}@x.example>`,
      'Subject: Files',
      'MIME-Version: 1.0',
      'Content-Type: multipart/mixed; boundary=b',
      '',
      '--b',
      'Content-Type: text/html; charset=utf-8',
      '',
      html,
      '--b',
      'Content-Type: text/plain; name=note.txt',
      'Content-Disposition: attachment; filename=note.txt',
      'Content-Transfer-Encoding: base64',
      '',
      btoa('the note'),
      '--b--',
      '',
    ].join('\r\n');
    await mail({ from, raw });
    const conversation = await theOnly(from);
    const [message] = await messagesOf(conversation.id);
    expect(message.text).toBe('Hi there');
    expect(message.medias).toMatchObject([
      { type: 'text/plain', filename: 'note.txt' },
      { type: 'text/html', filename: 'message.html' },
    ]);
    const file = (index: number) =>
      fetchAs('GET', `/v1.0/conversations/${conversation.id}/messages/${message.id}/medias/${index}`);
    expect(await (await file(0)).text()).toBe('the note');
    const shown = await file(1);
    expect(shown.headers.get('content-security-policy')).toContain('sandbox');
    const safe = await shown.text();
    expect(safe).toContain('<b>there</b>');
    expect(safe).not.toMatch(/script|onclick|pixel/);
    await ok(hub.call('DELETE', `/v1.0/conversations/${conversation.id}/messages/${message.id}`));
    await eventually(async () => expect((await file(0)).status).toBe(404));
  });

  test('that a machine wrote starts no flow; our own mail that comes back is nobody’s message', async () => {
    const flow = await ok(
      hub.call('POST', '/v1.0/flows', {
        name: 'hi',
        actions: [{ type: 'conversation_send', option: { text: 'Hello!' } }],
      }),
    );
    const address = newAddress();
    const box = await newMailbox(address, { message_flow_id: flow.id });
    const from = newSender();
    await mail({ from, to: address, text: 'I am away', headers: { 'Auto-Submitted': 'auto-replied' } });
    const conversation = await theOnly(from);
    await mail({ from, to: address, text: 'I am back' });
    await eventually(async () => expect(await textsOf(conversation.id)).toHaveLength(3));
    expect((await textsOf(conversation.id)).toSorted()).toEqual(['Hello!', 'I am away', 'I am back']);
    const flows = await ok(hub.call('GET', `/v1.0/activeflows?reference_id=${conversation.id}`));
    expect(flows.result).toHaveLength(1);
    const { raw } = await lastTo(from);
    expect(raw).toMatch(/^Auto-Submitted: *auto-replied/m);

    const before = (await ok(hub.call('GET', '/v1.0/conversations'))).result.length;
    await mail({ from: newSender(), to: address, raw });
    await mail({ from: own, to: address, text: 'two mailboxes of ours' });
    expect((await ok(hub.call('GET', '/v1.0/conversations'))).result).toHaveLength(before);
    expect((await ok(hub.call('GET', `/v1.0/conversation_accounts/${box.id}`))).provider_data.address).toBe(address);
  });

  test('is refused, with a reason for its sender, when it is too large or for nobody; and comes again while D1 is away', async () => {
    expect(await mail({ raw: new Uint8Array(30 * 1024 * 1024) })).toContain('25 MB');
    expect(await mail({ to: 'nobody@shop.example' })).toContain('mailbox does not exist');
    const address = newAddress();
    faults.d1 = true;
    await expect(mail({ to: address })).rejects.toThrow();
    heal();
  });
});

describe('a mail of ours', () => {
  test('that comes back ends as failed; a report without our mark changes nothing', async () => {
    const { conversation, answer, from } = await answered();
    const mark = answer.ownMark ?? '';
    const delivery = async () => (await messagesOf(conversation.id))[1].deliveries[0];
    await eventually(async () => expect((await delivery()).status).toBe('sent'));
    await mail({ from: '', raw: dsn(mark.replace(/.$/, (last) => (last === '0' ? '1' : '0'))) });
    await mail({ from: '', raw: dsn(mark, 'delayed') });
    expect((await delivery()).status).toBe('sent');
    await mail({ from: '', raw: dsn(mark) });
    expect(await delivery()).toMatchObject({ status: 'failed', error: { code: '5.1.1' } });
    expect((await theOnly(from)).id).toBe(conversation.id);
    expect(await conversationsOf('mailer-daemon@mx.example')).toEqual([]);
  });

  test('is tried again where the service is busy, fails where it refuses, and then goes by SMS if the account says so', async () => {
    const sms = await newSandbox(hub, { provider_data: { provider: 'sandbox', number: '+15550100088' } });
    await ok(hub.call('PUT', `/v1.0/conversation_accounts/${account.id}`, { fallback: true }));
    const [phone, address] = ['+15557770001', newSender()];
    const addresses = [
      { type: 'email', target: address },
      { type: 'tel', target: phone },
    ];
    await mail({ from: address });
    const { id } = await ok(hub.call('POST', '/v1.0/conversations', { participants: [{ addresses }] }));
    faults.mail = 'E_RECIPIENT_NOT_ALLOWED';
    const sent = await send(id, { text: 'This must arrive' });
    expect(sent.deliveries).toMatchObject([{ channel: 'email', fallback_for: '00000000-0000-0000-0000-000000000000' }]);
    await eventually(async () => {
      const message = (await messagesOf(id)).at(-1);
      expect(message).toMatchObject({
        status: 'done',
        deliveries: [
          { channel: 'email', status: 'failed', error: { code: 'E_RECIPIENT_NOT_ALLOWED' } },
          { channel: 'message', status: 'sent', target: phone, fallback_for: sent.deliveries[0].id },
        ],
      });
    });
    const { result } = await ok(hub.call('GET', `/v1.0/sandbox/outbox?account_id=${sms.id}`));
    expect(result.map(({ text }: Json) => text)).toEqual(['This must arrive']);

    faults.mail = 'E_RATE_LIMIT_EXCEEDED';
    await send(id, { text: 'later', channel: 'email' });
    await eventually(async () => {
      const [delivery] = (await messagesOf(id)).at(-1).deliveries;
      expect(delivery).toMatchObject({ status: 'sending', error: { code: 'E_RATE_LIMIT_EXCEEDED' } });
    });
    heal();
    await eventually(async () => expect((await messagesOf(id)).at(-1)).toMatchObject({ status: 'done' }));
    await ok(hub.call('PUT', `/v1.0/conversation_accounts/${account.id}`, { fallback: false }));
  });

  test('carries files, and is refused beforehand when they are too large together', async () => {
    const { conversation, from } = await answered();
    const upload = async (bytes: number, filename: string): Promise<string> => {
      const headers = { 'content-type': 'text/plain', 'content-length': String(bytes) };
      const body = new Uint8Array(bytes).fill(65);
      const stored: Json = await (await fetchAs('POST', `/v1.0/medias?filename=${filename}`, headers, body)).json();
      return stored.url;
    };
    const url = await upload(1000, 'tracking-details.txt');
    await send(conversation.id, { text: 'With a file', medias: [{ type: 'text/plain', url }] });
    const got = await eventually(async () => {
      const last = await lastTo(from);
      expect(last.text).toBe('With a file');
      return last;
    });
    expect(got.files.map(({ filename, content }) => [filename, content.byteLength])).toEqual([
      ['tracking-details.txt', 1000],
    ]);
    const large = await upload(3_700_000, 'large.txt');
    const refused = await hub.call('POST', `/v1.0/conversations/${conversation.id}/messages`, {
      text: 'x',
      medias: [{ type: 'text/plain', url: large }],
    });
    expect(refused).toMatchObject({
      status: 400,
      body: { error: { details: { medias: expect.stringContaining('3700000') } } },
    });
  });
});

test('an address is one account’s', async () => {
  const taken = { type: 'email', provider_data: { address: own.toUpperCase() } };
  const other = await newHub();
  for (const call of [hub.call, other.call]) {
    const refused = await call('POST', '/v1.0/conversation_accounts', taken);
    expect(refused).toMatchObject({
      status: 400,
      body: { error: { details: { 'provider_data.address': expect.anything() } } },
    });
  }
  for (const address of ['nobody', 'a+b@shop.example', `${'x'.repeat(25)}@shop.example`]) {
    const body = { type: 'email', provider_data: { address } };
    expect((await hub.call('POST', '/v1.0/conversation_accounts', body)).status).toBe(400);
  }
});
