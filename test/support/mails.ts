import worker from './faulty-worker.ts';

/** An inbound mail. Fields that are left out get made-up values. */
export interface TestMail {
  from?: string;
  to: string;
  subject?: string;
  text?: string;
  /** The Message-ID without brackets. */
  id?: string;
  headers?: Record<string, string>;
  /** The complete mail, instead of the other fields. */
  raw?: string | Uint8Array;
}

export const newSender = (): string => `ada-${crypto.randomUUID()}@company.example`;

/** Delivers a mail as Cloudflare's Email Routing does. @returns why it was refused, or null. */
export async function bringMail(env: Env, mail: TestMail): Promise<string | null> {
  const { from = newSender(), to } = mail;
  const raw = new TextEncoder().encode(typeof mail.raw === 'string' ? mail.raw : rawOf(mail, from));
  const bytes = mail.raw instanceof Uint8Array ? mail.raw : raw;
  const refusals: string[] = [];
  await worker.email(
    {
      from: /<(.*)>/.exec(from)?.[1] ?? from,
      to,
      headers: new Headers(),
      raw: new Blob([new Uint8Array(bytes)]).stream(),
      rawSize: bytes.byteLength,
      setReject: (reason) => void refusals.push(reason),
      forward: () => Promise.reject(new Error('nothing is forwarded')),
      reply: () => Promise.reject(new Error('nothing is replied')),
    },
    env,
  );
  return refusals[0] ?? null;
}

function rawOf({ to, subject = 'Order 5678', text = 'hello', id, headers }: TestMail, from: string): string {
  const messageId = `<${id ?? `${crypto.randomUUID()}@company.example`}>`;
  const all = { From: from, To: to, Subject: subject, 'Message-ID': messageId, ...headers };
  return [...Object.entries(all).map(([name, value]) => `${name}: ${value}`), '', text, ''].join('\r\n');
}
