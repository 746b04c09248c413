import { env } from 'cloudflare:workers';
import { expect } from 'vitest';
import { outbox } from './faults.ts';
import { eventually, newHub, ok, type Hub, type Json } from './hub.ts';
import { bringMail, type TestMail } from './mails.ts';
import { readMail, type ReadMail } from '../../src/channels/email/read-mail.ts';

export let hub: Hub;
export let account: Json;
/** The address of the mailbox. */
export let own = '';

export const newAddress = (): string => `shop-${crypto.randomUUID().slice(0, 8)}@shop.example`;

export const newMailbox = (address: string, parts: Json = {}, of: Hub = hub): Promise<Json> =>
  ok(
    of.call('POST', '/v1.0/conversation_accounts', {
      type: 'email',
      name: 'The Shop',
      provider_data: { address },
      ...parts,
    }),
  );

/** Creates a customer with a mailbox. Called once in a test file. */
export async function openMailbox(parts: Json = {}): Promise<void> {
  hub = await newHub();
  own = newAddress();
  account = await newMailbox(own, parts);
}

export const mail = (parts: Partial<TestMail>): Promise<string | null> => bringMail(env, { to: own, ...parts });

export const conversationsOf = async (peer: string, of: Hub = hub): Promise<Json[]> =>
  (await ok(of.call('GET', `/v1.0/conversations?peer=${encodeURIComponent(peer)}`))).result;

export const theOnly = (peer: string): Promise<Json> =>
  eventually(async () => {
    const found = await conversationsOf(peer);
    expect(found).toHaveLength(1);
    return found[0];
  });

/** Oldest first. */
export const messagesOf = async (id: string): Promise<Json[]> =>
  (await ok(hub.call('GET', `/v1.0/conversations/${id}/messages`))).result.toReversed();

export const textsOf = async (id: string): Promise<string[]> => (await messagesOf(id)).map(({ text }) => text);

export const send = (id: string, body: Json): Promise<Json> =>
  ok(hub.call('POST', `/v1.0/conversations/${id}/messages`, body));

/** The last mail that was sent to an address. */
export async function lastTo(address: string): Promise<ReadMail & { raw: string; replyTo: string; sentAs: string }> {
  const found = await eventually(() => {
    const last = outbox.findLast(({ to }) => to === address);
    expect(last).toBeDefined();
    return last ?? { raw: '', messageId: '' };
  });
  const read = await readMail(new TextEncoder().encode(found.raw), own);
  if (!read.ok) throw new Error(read.error);
  const replyTo = /^Reply-To: *<?([^<>\r\n]+)>?/im.exec(found.raw)?.[1] ?? '';
  return { ...read.value, raw: found.raw, replyTo, sentAs: found.messageId.replace(/^<|>$/g, '') };
}

/** The bounce of a mail of ours with this mark. */
export const dsn = (mark: string, action = 'failed'): string =>
  [
    'From: MAILER-DAEMON@mx.example',
    `To: ${own}`,
    `Message-ID: <${crypto.randomUUID()}@mx.example>`,
    'Subject: Undelivered Mail Returned to Sender',
    'Auto-Submitted: auto-replied',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=delivery-status; boundary=r',
    '',
    '--r',
    'Content-Type: text/plain',
    '',
    'Sorry.',
    '--r',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; mx.example',
    '',
    'Final-Recipient: rfc822; ada@company.example',
    `Action: ${action}`,
    'Status: 5.1.1',
    'Diagnostic-Code: smtp; 550 5.1.1 User unknown',
    '',
    '--r',
    'Content-Type: text/rfc822-headers',
    '',
    `X-Parley-Delivery: ${mark}`,
    'Subject: Re: Order 5678',
    '',
    '--r--',
    '',
  ].join('\r\n');
