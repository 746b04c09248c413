import type { ActionContext } from '../context.ts';
import { configOf } from '../../env.ts';
import { wellFormed } from '../../domain/content.ts';
import { isShallow, type ActionOf } from '../../domain/flow/action.ts';
import type { ActionResult } from '../../domain/flow/progress.ts';
import { expand, expandJson, type Variables } from '../../domain/flow/variables.ts';
import { SECOND } from '../../domain/time.ts';
import { uuidFrom } from '../../security/encoding.ts';
import { findAnyActiveflow } from '../../storage/activeflows.ts';
import { customerSecrets } from '../../storage/webhook-endpoints.ts';
import { checkResolved } from '../../webhooks/guard.ts';
import { postWebhook, type Attempt } from '../../webhooks/post.ts';
import { resolveHost } from '../../webhooks/resolve.ts';
import { signedHeaders } from '../../webhooks/sign.ts';

const TRIES = 3;
const PAUSE_MS = 2 * SECOND;

/** The flow's own request, signed with the customer's webhook secret under a constant id, so that the receiver can drop repeats. */
export async function webhookSend(context: ActionContext, { option }: ActionOf<'webhook_send'>): Promise<ActionResult> {
  const { env, activeflow, variables, count } = context;
  const options = { allowPrivate: configOf(env).ALLOW_PRIVATE_TARGETS, resolve: resolveHost };
  const uri = expand(option.uri, variables, (value) => encodeURIComponent(wellFormed(value)));
  const target = await checkResolved(uri, options).catch(() => null);
  if (!target?.ok) return { kind: 'failed', code: target ? 'TARGET_REFUSED' : 'NO_ADDRESS' };
  const body = bodyOf(option, variables);
  const signed = {
    id: `flow_${await uuidFrom(`webhook ${activeflow.id} ${count}`)}`,
    timestamp: Math.floor(Date.now() / 1000),
    body,
  };
  const headers = await signedHeaders(signed, await customerSecrets(env, activeflow.customerId, Date.now()));
  return attempt(context, { url: target.value, method: option.method, headers, body });
}

/** An activeflow that was stopped in the meantime makes no further attempt. */
async function attempt({ env, activeflow }: ActionContext, request: Attempt): Promise<ActionResult> {
  for (let tries = 1; ; tries += 1) {
    const result = await postWebhook(request, (url, init) => fetch(url, init));
    if (result.delivered) return { kind: 'done' };
    const isFinal = result.status !== null && result.status < 500 && result.status !== 429;
    if (isFinal || tries === TRIES) return { kind: 'failed', code: result.error };
    await scheduler.wait(PAUSE_MS * tries);
    if ((await findAnyActiveflow(env, activeflow.id))?.status !== 'running') return { kind: 'failed', code: 'STOPPED' };
  }
}

/** JSON stays valid JSON whatever the variables contain; any other text is sent as it is. */
function bodyOf({ method, data }: ActionOf<'webhook_send'>['option'], variables: Variables): string {
  if (method === 'GET') return '';
  if (typeof data !== 'string') return JSON.stringify(expandJson(data, variables));
  const parsed = parsedJson(data);
  return parsed === undefined ? expand(data, variables) : JSON.stringify(expandJson(parsed, variables));
}

/** Undefined if the text is not JSON, or is nested deeper than anybody would write by hand. */
function parsedJson(text: string): unknown {
  try {
    const parsed: unknown = JSON.parse(text);
    return isShallow(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}
