import { env } from 'cloudflare:workers';
import { SELF } from 'cloudflare:test';
import { beforeAll, describe, expect, test } from 'vitest';
import { leftoversOf } from '../support/leftovers.ts';
import { bringMail, newSender } from '../support/mails.ts';
import { eventually, inbound, newHub, newSandbox, ok, ORIGIN, type Hub, type Json } from '../support/hub.ts';

const PNG = Uint8Array.from(
  atob('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='),
  (character) => character.charCodeAt(0),
);

let hub: Hub;
let stranger: Hub;
let account: Json;

beforeAll(async () => {
  [hub, stranger] = [await newHub(), await newHub()];
  account = await newSandbox(hub);
});

const bearer = (who: Hub) => ({ authorization: `Bearer ${who.accessKey}` });

function upload(body: Uint8Array | ReadableStream, headers: Record<string, string>, query = ''): Promise<Response> {
  return SELF.fetch(`${ORIGIN}/v1.0/medias${query}`, {
    method: 'POST',
    headers: { ...bearer(hub), 'content-length': String(PNG.byteLength), ...headers },
    body,
  });
}

async function uploaded(): Promise<Json> {
  const answer = await upload(PNG, { 'content-type': 'image/png' }, '?filename=%EC%B6%94%EC%A0%81.png');
  expect(answer.status).toBe(200);
  return answer.json();
}

const bytesOf = async (response: Response): Promise<number[]> => [...new Uint8Array(await response.arrayBuffer())];

describe('a file', () => {
  test('is stored with its real kind, and opens with the customer’s credentials alone', async () => {
    const answer = await upload(PNG, { 'content-type': 'application/pdf' });
    const stored = await answer.json<Json>();
    expect(stored).toMatchObject({ type: 'image/png', filename: '', size: PNG.byteLength });
    const opened = await SELF.fetch(stored.url, { headers: bearer(hub) });
    expect([opened.status, opened.headers.get('content-type')]).toEqual([200, 'image/png']);
    expect(opened.headers.get('content-security-policy')).toContain('sandbox');
    expect(await bytesOf(opened)).toEqual([...PNG]);
    expect((await SELF.fetch(stored.url, { headers: bearer(stranger) })).status).toBe(404);
    expect((await SELF.fetch(stored.url)).status).toBe(401);
  });

  test('opens for a day for whoever has its link, and for nobody with another one', async () => {
    const { public_url: link, id } = await uploaded();
    const opened = await SELF.fetch(link);
    expect(await bytesOf(opened)).toEqual([...PNG]);
    expect(opened.headers.get('content-disposition')).toBe(
      `attachment; filename*=UTF-8''${encodeURIComponent('추적.png')}`,
    );
    const { id: other } = await uploaded();
    const url = new URL(link);
    const expires = Number(url.searchParams.get('expires'));
    expect(Math.abs(expires - Date.now() / 1000 - 86_400)).toBeLessThan(60);
    const changed = [
      link.replace(id, other),
      link.replace(hub.customerId, stranger.customerId),
      link.replace(`expires=${expires}`, `expires=${expires + 1}`),
      link.replace(/signature=../, 'signature=00'),
      link.split('?')[0] ?? '',
    ];
    for (const each of changed) expect((await SELF.fetch(each)).status, each).toBe(401);
  });

  test('is given in parts where a part is asked for', async () => {
    const { url } = await uploaded();
    const part = (range: string) => SELF.fetch(url, { headers: { ...bearer(hub), range } });
    const middle = await part('bytes=1-3');
    expect([middle.status, middle.headers.get('content-range')]).toEqual([206, `bytes 1-3/${PNG.byteLength}`]);
    expect(await bytesOf(middle)).toEqual(Array.from(PNG.slice(1, 4)));
    expect(await bytesOf(await part('bytes=-2'))).toEqual(Array.from(PNG.slice(-2)));
  });

  test.each([
    ['that is too large', { 'content-length': String(100 * 1024 * 1024 + 1) }, 413],
    ['that is empty', { 'content-length': '0' }, 400],
  ])('%s is refused', async (_, headers, status) => {
    expect((await upload(PNG, { 'content-type': 'image/png', ...headers })).status).toBe(status);
  });

  test('that breaks off, or is a program in disguise, is refused, and nothing of it stays', async () => {
    const before = await stored();
    const cut = new ReadableStream({
      start(controller) {
        controller.enqueue(PNG);
        controller.close();
      },
    });
    const longer = { 'content-type': 'image/png', 'content-length': String(PNG.byteLength + 1) };
    expect((await upload(cut, longer)).status).toBe(400);
    const program = new Uint8Array(PNG.byteLength);
    program.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
    const answer = await upload(program, { 'content-type': 'image/png' });
    expect([answer.status, (await answer.json<Json>()).error.details]).toEqual([400, { body: 'is a program' }]);
    expect(await stored()).toBe(before);
  });
});

const stored = async (): Promise<number> =>
  (await env.MEDIA.list({ prefix: `customers/${hub.customerId}/` })).objects.length;

const withAttachment = (from: string, to: string): string =>
  [
    `From: ${from}`,
    `To: ${to}`,
    'Subject: a file',
    `Message-ID: <${crypto.randomUUID()}@company.example>`,
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary=part',
    '',
    '--part',
    'Content-Type: text/plain',
    '',
    'see attached',
    '--part',
    'Content-Type: image/png; name=dot.png',
    'Content-Disposition: attachment; filename=dot.png',
    'Content-Transfer-Encoding: base64',
    '',
    Buffer.from(PNG).toString('base64'),
    '--part--',
    '',
  ].join('\r\n');

describe('a message', () => {
  const send = (id: string, body: Json) => hub.call('POST', `/v1.0/conversations/${id}/messages`, body);

  test('takes an uploaded file by either of its URLs, keeps one that does not expire, and gives the provider one that opens', async () => {
    const { conversation_id: id } = await inbound(hub, account.id, '+15557770001', 'hello');
    for (const key of ['url', 'public_url']) {
      const file = await uploaded();
      const sent = await ok(send(id, { text: key, medias: [{ type: 'application/pdf', url: file[key] }] }));
      expect(sent.medias).toEqual([{ type: 'image/png', url: file.url, filename: '추적.png' }]);
      const received = await eventually(async () => {
        const { result } = await ok(hub.call('GET', `/v1.0/sandbox/outbox?account_id=${account.id}`));
        const found = result.find(({ text }: Json) => text === key);
        if (!found) throw new Error('not out yet');
        return found;
      });
      expect(await bytesOf(await SELF.fetch(received.medias[0].url))).toEqual([...PNG]);
    }
  });

  test('stores no path of a dialect: each makes the URLs of its own', async () => {
    const { conversation_id: id } = await inbound(hub, account.id, '+15557770002', 'hello');
    const file = await uploaded();
    const sent = await ok(send(id, { text: 'a file', medias: [{ type: 'image/png', url: file.url }] }));
    expect(sent.medias[0].url).toBe(`${ORIGIN}/v1.0/medias/${file.id}`);

    const [to, from] = [`${crypto.randomUUID().slice(0, 8)}@shop.example`, newSender()];
    await ok(hub.call('POST', '/v1.0/conversation_accounts', { type: 'email', provider_data: { address: to } }));
    await bringMail(env, { from, to, raw: withAttachment(from, to) });
    const [mail] = await eventually(async () => {
      const { result } = await ok(hub.call('GET', `/v1.0/conversations?peer=${encodeURIComponent(from)}`));
      return (await ok(hub.call('GET', `/v1.0/conversations/${result[0].id}/messages`))).result;
    });
    const path = `/v1.0/conversations/${mail.conversation_id}/messages/${mail.id}/medias/0`;
    expect(mail.medias[0].url).toMatch(new RegExp(`${path}$`));
    expect(await bytesOf(await SELF.fetch(`${ORIGIN}${path}`, { headers: bearer(hub) }))).toEqual([...PNG]);

    expect(await leftoversOf(['/v1.0/', '/v1/'])).toEqual([]);
  });

  test('with another customer’s file, or one that is not there, is a 400 that names it', async () => {
    const { conversation_id: id } = await inbound(hub, account.id, '+15557770001', 'hello');
    const { id: fileId } = await uploaded();
    const theirs = await inbound(stranger, (await newSandbox(stranger)).id, '+15557770002', 'hello');
    const urlOf = (file: string) => `${ORIGIN}/v1.0/medias/${file}`;
    const medias = (file: string) => ({ text: 'x', medias: [{ type: 'image/png', url: urlOf(file) }] });
    const refused = { status: 400, body: { error: { details: { 'medias.0.url': 'is not one of your files' } } } };
    const path = `/v1.0/conversations/${theirs.conversation_id}/messages`;
    expect(await stranger.call('POST', path, medias(fileId))).toMatchObject(refused);
    expect(await send(id, medias(crypto.randomUUID()))).toMatchObject(refused);
  });
});
