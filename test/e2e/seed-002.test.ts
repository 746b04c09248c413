import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SignJWT } from 'jose';
import { type ParsedMail, simpleParser } from 'mailparser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callWith, eventually, type Json, ok } from '../support/http.ts';
import { startServer, type TestServer } from '../support/server.ts';

/** Seed 002's stories over SMS (the sandbox), e-mail (wrangler's own mail service) and web chat, on a real server. */
const SHOP = 'support@shop.example';
const SECRET = 'the-secret-of-the-shops-own-site-0001';
const WORD = 'Unvergesslichkeit';

let server: TestServer;
let chat: Json;

beforeAll(async () => {
  server = await startServer();
  const newAccount = (body: Json) => ok(server.call('POST', '/v1.0/conversation_accounts', body));
  await newAccount({ type: 'email', name: 'The Shop', provider_data: { address: SHOP } });
  chat = await newAccount({ type: 'chat', secret: SECRET, provider_data: { allowed_origins: ['*'] } });
});

afterAll(() => server?.dispose());

const sms = async (from: string, text: string): Promise<Json> =>
  ok(server.call('POST', '/v1.0/sandbox/inbound', { account_id: server.sandboxAccount, from, text }));
const send = (id: string, body: Json): Promise<Json> =>
  ok(server.call('POST', `/v1.0/conversations/${id}/messages`, body));

/** As Cloudflare's Email Routing brings it: wrangler's door for that. */
async function mail(from: string, to: string, text: string, headers: Record<string, string> = {}): Promise<void> {
  const all = {
    From: from,
    To: to,
    Subject: 'Re: Order',
    'Message-ID': `<${crypto.randomUUID()}@company.example>`,
    ...headers,
  };
  const raw = [...Object.entries(all).map(([name, value]) => `${name}: ${value}`), '', text, ''].join('\r\n');
  const query = new URLSearchParams({ from, to });
  const answer = await fetch(`${server.url}/cdn-cgi/local/email?${query.toString()}`, { method: 'POST', body: raw });
  expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('successfully processed')]);
}

/** The mails that the server has sent, read by another library, in order. */
async function sentMails(): Promise<ParsedMail[]> {
  const paths = [...server.output().matchAll(/Email: (\S+\.eml)/g)].map(([, path = '']) => path);
  return Promise.all(paths.map(async (path) => simpleParser(readFileSync(path))));
}

const mailNumber = (count: number): Promise<ParsedMail> =>
  eventually(async () => {
    const found = (await sentMails())[count - 1];
    if (!found) throw new Error(`no mail ${count}`);
    return found;
  });

const onPhone = async (): Promise<Json[]> =>
  (await ok(server.call('GET', `/v1.0/sandbox/outbox?account_id=${server.sandboxAccount}`))).result.toReversed();

const history = async (id: string): Promise<string[]> => {
  const { result } = await ok(server.call('GET', `/v1.0/conversations/${id}/messages`));
  return result.toReversed().map(({ direction, reference_type, deliveries, text }: Json) => {
    const channel = direction === 'incoming' ? reference_type : deliveries.map((each: Json) => each.channel).join('+');
    return `${direction === 'incoming' ? 'customer' : 'support'} by ${channel}: ${text}`;
  });
};

const onlyOne = (peer: string): Promise<Json> =>
  eventually(async () => {
    const { result } = await ok(server.call('GET', `/v1.0/conversations?peer=${encodeURIComponent(peer)}`));
    if (result.length !== 1) throw new Error(`${result.length} conversations`);
    return result[0];
  });

describe('seed 002', () => {
  it('“Order Support #5678”: one conversation over SMS, e-mail and chat, each answer where the seed has it', async () => {
    const [phone, address] = ['+15558880001', 'greta@company.example'];
    const made = await ok(
      server.call('POST', '/v1.0/conversations', {
        name: 'Order Support #5678',
        participants: [
          {
            name: 'Greta',
            addresses: [
              { type: 'tel', target: phone },
              { type: 'email', target: address },
            ],
          },
        ],
      }),
    );
    expect((await sms(phone, `When will my order arrive? ${WORD}`)).conversation_id).toBe(made.id);

    const pdf = Buffer.from(`%PDF-1.4\n${WORD}\n%%EOF\n`);
    const upload = await fetch(`${server.url}/v1.0/medias?filename=tracking-details.pdf`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.accessKey}`, 'content-type': 'application/pdf' },
      body: pdf,
    });
    const file: Json = await upload.json();
    const text = 'Your order is scheduled for Friday delivery. Here’s the tracking link: https://track.example/5678';
    await send(made.id, { text, medias: [{ type: 'application/pdf', url: file.url }], channel: 'email' });
    const first = await mailNumber(1);
    expect(first).toMatchObject({
      subject: 'Order Support #5678',
      from: { value: [{ address: SHOP, name: 'The Shop' }] },
    });
    expect(first.text?.trim()).toBe(text);
    expect(first.attachments.map(({ filename, content }) => [filename, content.toString()])).toEqual([
      ['tracking-details.pdf', pdf.toString()],
    ]);

    const identity_token = await new SignJWT({ email: address })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('5m')
      .sign(new TextEncoder().encode(SECRET));
    const session = await ok(server.as(null)('POST', `/chat/${chat.id}/sessions`, { identity_token }));
    expect(session).toMatchObject({ conversation_id: made.id, is_verified: true });
    const visitor = callWith(server.url, session.visitor_token);
    const asked = { text: 'Can I change the delivery address?', client_id: 'one' };
    expect((await ok(visitor('POST', `/chat/${chat.id}/messages`, asked))).conversation_id).toBe(made.id);

    const dry = await ok(server.call('POST', `/v1.0/conversations/${made.id}/messages?dry_run=true`, { text: 'x' }));
    expect(dry.routing[0].chosen.channel).toBe('chat');
    await send(made.id, { text: 'Yes, I’ve updated it. Sending confirmation...' });
    await send(made.id, { text: 'Address updated! Confirmation sent to your email.', channel: 'sms' });
    await eventually(async () => {
      if (!(await onPhone()).some(({ to }) => to === phone)) throw new Error('not there yet');
    });
    // An answer to the mail comes back to the same place, by its reply address alone.
    const replyTo = first.replyTo?.value[0]?.address ?? '';
    await mail(address, replyTo, `Thank you! ${WORD}`);

    expect(await history(made.id)).toEqual([
      `customer by message: When will my order arrive? ${WORD}`,
      `support by email: ${text}`,
      'customer by chat: Can I change the delivery address?',
      'support by chat: Yes, I’ve updated it. Sending confirmation...',
      'support by message: Address updated! Confirmation sent to your email.',
      `customer by email: Thank you! ${WORD}`,
    ]);
    expect((await onlyOne(phone)).id).toBe(made.id);
    expect((await onlyOne(address)).id).toBe(made.id);
    const seen = await ok(visitor('GET', `/chat/${chat.id}/messages`));
    expect(seen.result).toHaveLength(6);
  });

  it('reminders that escalate: by mail, then by SMS, and the answer, by whichever, in the same conversation', async () => {
    const [phone, address] = ['+15558880002', 'otto@company.example'];
    const addresses = [
      { type: 'email', target: address },
      { type: 'tel', target: phone },
    ];
    const { id } = await ok(
      server.call('POST', '/v1.0/conversations', { participants: [{ name: 'Otto', addresses }] }),
    );
    const before = (await sentMails()).length;
    await send(id, {
      text: 'Your appointment: Thursday, 2pm, room 4. Please bring…',
      channel: 'email',
      subject: 'Your appointment',
    });
    expect((await mailNumber(before + 1)).subject).toBe('Your appointment');
    await send(id, { text: 'Reminder: Appointment tomorrow at 2pm', channel: 'sms' });
    await send(id, { text: 'Your appointment is in 2 hours', channel: 'sms' });
    await eventually(async () => {
      const got = (await onPhone()).filter(({ to }) => to === phone).map((each) => each.text);
      expect(got).toEqual(['Reminder: Appointment tomorrow at 2pm', 'Your appointment is in 2 hours']);
    });
    await mail(address, SHOP, 'I will be there');
    await sms(phone, 'a little late');
    expect((await history(id)).slice(-2)).toEqual([
      'customer by email: I will be there',
      'customer by message: a little late',
    ]);
  });

  it('an erased contact is in no stored file any more', async () => {
    const { result } = await ok(server.call('GET', '/v1.0/contacts?address=greta%40company.example'));
    const receipt = await ok(server.call('DELETE', `/v1.0/contacts/${result[0].id}?erase=true`));
    expect(receipt).toMatchObject({ conversations: 1, messages: 6, files: 1 });
    await server.stop();
    foldJournals();
    expect(filesWith(['otto@company.example']).length).toBeGreaterThan(0);
    const found = filesWith([WORD, 'greta@company.example', '+15558880001']);
    await server.start();
    expect(found).toEqual([]);
    expect((await ok(server.call('GET', `/v1.0/conversations?q=${WORD}`))).result).toEqual([]);
  });
});

const storedFiles = (): string[] =>
  readdirSync(server.stateDir, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(server.stateDir, name)).isFile(),
  );

/**
 * SQLite's write-ahead logs go into their databases, as they do by themselves in time. D1 offers no way to wipe the pages that deleted
 * rows leave free (README, "An erasure"), so that its database is packed first: what is left then is what is stored.
 */
function foldJournals(): void {
  for (const name of storedFiles().filter((each) => each.endsWith('.sqlite'))) {
    const database = new DatabaseSync(join(server.stateDir, name));
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    if (name.includes('D1DatabaseObject')) database.exec('VACUUM; PRAGMA wal_checkpoint(TRUNCATE)');
    database.close();
  }
}

/** The server's files that hold any of these, also in places that a database has given up. */
const filesWith = (words: string[]): string[] =>
  storedFiles().flatMap((name) => {
    // Search keeps words in lower case.
    const content = readFileSync(join(server.stateDir, name)).toString('latin1').toLowerCase();
    return words.filter((word) => content.includes(word.toLowerCase())).map((word) => `${name}: ${word}`);
  });
