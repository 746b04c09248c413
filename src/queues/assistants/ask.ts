import { z } from 'zod';
import { configOf } from '../../env.ts';
import { MAX_TEXT_LENGTH, wellFormed } from '../../domain/content.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { readBounded } from '../../security/bounded-body.ts';
import { secretOf, type Assistant } from '../../storage/assistants.ts';
import { checkResolved } from '../../webhooks/guard.ts';
import { resolveHost } from '../../webhooks/resolve.ts';
import { signedHeaders } from '../../webhooks/sign.ts';

/** Larger than any answer that a channel can carry. */
const MAX_ANSWER_BYTES = 256 * 1024;

/** An assistant's answer (spec section 5). Other fields are ignored. */
const answerSchema = z.object({
  text: z.string().max(MAX_TEXT_LENGTH).transform(wellFormed).default(''),
  handoff: z.boolean().default(false),
});

export type Answer = z.infer<typeof answerSchema>;

const SILENCE: Answer = { text: '', handoff: false };

/**
 * One request to the assistant's webhook: guarded, signed, bounded in time and size. The error is a code: neither the assistant's text
 * nor its error text is kept or logged.
 */
export async function askAssistant(
  env: Env,
  assistant: Assistant,
  turnId: string,
  body: string,
): Promise<Result<Answer, string>> {
  const options = { allowPrivate: configOf(env).ALLOW_PRIVATE_TARGETS, resolve: resolveHost };
  const target = await checkResolved(assistant.webhookUrl, options).catch(() => null);
  if (!target?.ok) return err(target ? 'TARGET_REFUSED' : 'NO_ADDRESS');
  const signed = { id: `turn_${turnId}`, timestamp: Math.floor(Date.now() / 1000), body };
  const headers = await signedHeaders(signed, [await secretOf(env, assistant)]);
  try {
    const response = await fetch(target.value, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'Parley-Assistants/1', ...headers },
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(assistant.timeoutMs),
    });
    return await answerOf(response);
  } catch (error) {
    const isTimeout = error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError');
    return err(isTimeout ? 'TIMEOUT' : 'NO_ANSWER');
  }
}

async function answerOf(response: Response): Promise<Result<Answer, string>> {
  if (!response.ok) {
    await response.body?.cancel();
    return err(`HTTP_${response.status}`);
  }
  const text = await readBounded(response, MAX_ANSWER_BYTES);
  if (text === null) return err('ANSWER_TOO_LARGE');
  if (text.trim() === '') return ok(SILENCE);
  const parsed = answerSchema.safeParse(jsonOf(text));
  return parsed.success ? ok(parsed.data) : err('MALFORMED_ANSWER');
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
