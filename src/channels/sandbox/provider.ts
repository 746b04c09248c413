import { z } from 'zod';
import { microsOf, type Micros } from '../../domain/time.ts';

/**
 * A provider that needs no account anywhere (spec section 4.3). The sandbox adapter (channels/sms/sandbox) speaks HTTP to it as to any
 * other provider, and this answers in the same Worker. `POST /messages` → 200 `{id}`; an error is `{code, message}`.
 */
export const SANDBOX_ORIGIN = 'https://sandbox.parley.invalid';

const messageSchema = z.object({
  account_id: z.uuid(),
  idempotency_key: z.string(),
  conversation_id: z.string(),
  message_id: z.string(),
  from: z.string(),
  to: z.string(),
  text: z.string(),
  medias: z.array(z.object({ type: z.string(), url: z.string() })),
});

type SandboxSend = z.infer<typeof messageSchema>;

/** A message as it lies on the contact's phone. */
export interface PhoneMessage {
  id: string;
  accountId: string;
  idempotencyKey: string;
  conversationId: string;
  messageId: string;
  sender: string;
  recipient: string;
  text: string;
  /** JSON. */
  medias: string;
  createdAt: Micros;
}

/** What goes wrong on request. */
export interface Fault {
  /** `error`, `reject`, `timeout`, or else `throttle`. */
  kind: string;
  retryAfterS: number | null;
}

/** The contact's phone, wherever it is stored. */
export interface Phone {
  /** A repeat with the same key is dropped. @returns the id of the message that is there now. */
  receive: (message: PhoneMessage) => Promise<string>;
  /** Uses up one fault of the account, if any is left. */
  takeFault: (accountId: string) => Promise<Fault | null>;
}

export async function sandboxFetch(phone: Phone, init: RequestInit | undefined): Promise<Response> {
  const sent = messageSchema.parse(JSON.parse(typeof init?.body === 'string' ? init.body : 'null'));
  const fault = await phone.takeFault(sent.account_id);
  if (fault) return misbehave(fault, init?.signal ?? null);
  return Response.json({ id: await phone.receive(onPhone(sent)) });
}

const onPhone = (sent: SandboxSend): PhoneMessage => ({
  id: crypto.randomUUID(),
  accountId: sent.account_id,
  idempotencyKey: sent.idempotency_key,
  conversationId: sent.conversation_id,
  messageId: sent.message_id,
  sender: sent.from,
  recipient: sent.to,
  text: sent.text,
  medias: JSON.stringify(sent.medias),
  createdAt: microsOf(Date.now()),
});

function misbehave(fault: Fault, signal: AbortSignal | null): Promise<Response> | Response {
  if (fault.kind === 'timeout') return hang(signal);
  if (fault.kind === 'reject')
    return Response.json({ code: 'SANDBOX_REJECTED', message: 'refused on request' }, { status: 400 });
  if (fault.kind === 'error')
    return Response.json({ code: 'SANDBOX_ERROR', message: 'failed on request' }, { status: 503 });
  const headers: Record<string, string> =
    fault.retryAfterS === null ? {} : { 'retry-after': String(fault.retryAfterS) };
  return Response.json({ code: 'SANDBOX_THROTTLED', message: 'throttled on request' }, { status: 429, headers });
}

/** No answer until the caller gives up. */
const hang = (signal: AbortSignal | null): Promise<Response> =>
  new Promise((_, reject) => {
    const giveUp = () => reject(new DOMException('no answer, on request', 'TimeoutError'));
    if (signal?.aborted) giveUp();
    else signal?.addEventListener('abort', giveUp);
  });
