import { z } from 'zod';
import { microsOf } from '../domain/time.ts';
import { receiveOnPhone, takeFault, type SandboxFault } from '../storage/sandbox.ts';

/**
 * A provider that needs no account anywhere (spec section 4.3). The sandbox adapter speaks HTTP to it as to any other; this answers
 * in the same Worker. `POST /messages` → 200 `{id}`; an error is `{code, message}`, as providers do it.
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

export async function sandboxFetch(env: Env, init: RequestInit | undefined): Promise<Response> {
  const sent = messageSchema.parse(JSON.parse(typeof init?.body === 'string' ? init.body : 'null'));
  const fault = await takeFault(env, sent.account_id);
  if (fault) return misbehave(fault, init?.signal ?? null);
  return Response.json({ id: await receiveOnPhone(env, onPhone(sent)) });
}

const onPhone = (sent: SandboxSend) => ({
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

function misbehave(fault: SandboxFault, signal: AbortSignal | null): Promise<Response> | Response {
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
