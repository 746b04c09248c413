import { z } from 'zod';

const origin = z.url({ protocol: /^https?$/ }).transform((url) => url.replace(/\/+$/, ''));

/**
 * The vars and secrets, parsed. Bindings stay on `Env`; this is what each of them is for.
 *
 * DB              D1: the directory and the history across conversations.
 * CONVERSATION    one ConversationObject per conversation id.
 * ADDRESS         one AddressObject per customer, channel, address of ours and address of a contact.
 * TALK            one TalkObject per talk, named by the talk's key (domain/talk/ids.ts).
 * FEED            one FeedObject per customer.
 * DIRECTORY       one DirectoryObject per customer.
 * MEDIA           R2: uploads, and copies of the files that contacts sent (storage/medias.ts).
 * CHANNEL_SENDS   queue of channel deliveries to attempt (queues/jobs.ts).
 * ASSISTANT_TURNS queue of turns in which an assistant is asked to answer.
 * FLOWS           the Workflow that runs activeflows (flows/workflow.ts); an instance has the activeflow's id.
 * FILE_COPIES     queue of messages whose files must be copied from the provider.
 * WEBHOOKS        queue of webhook deliveries to attempt.
 * EMAIL           Cloudflare's Email Service, which sends our mail.
 * API_LIMIT, HOOK_LIMIT, LOGIN_LIMIT   rate limits per customer, account and address.
 * CHAT_LIMIT      rate limit per web chat visitor, and per network address that starts sessions.
 * VERIFY_LIMIT    rate limit per e-mail address that a visitor asks to verify.
 */
const configSchema = z.object({
  /** The public origin of this deployment. Empty: the origin of each request. */
  PUBLIC_URL: z.union([z.literal(''), origin]),
  /** `true` allows webhooks to private addresses and over plain http. For development only. */
  ALLOW_PRIVATE_TARGETS: z.enum(['true', 'false']).transform((text) => text === 'true'),
  /** Comma-separated origins of other pages that may open sockets here. */
  ALLOWED_ORIGINS: z
    .string()
    .transform((list) => list.split(',').map((entry) => entry.trim()))
    .pipe(z.array(z.union([z.literal(''), origin]))),
  LINE_API_BASE: origin,
  LINE_DATA_API_BASE: origin,
  TWILIO_API_BASE: origin,
  TELNYX_API_BASE: origin,
  META_GRAPH_BASE: origin,
  /** Signs the agents' tokens. At least 32 characters. */
  JWT_SECRET: z.string().min(32),
  /** 32 bytes in base64; seals accounts' and webhooks' secrets in D1. If this key is lost, they are lost too. */
  ENCRYPTION_KEY: z.string().regex(/^[A-Za-z0-9+/]{43}=$/),
  /** Whoever holds it may create customers. */
  BOOTSTRAP_TOKEN: z.string().min(16),
});

export type Config = z.infer<typeof configSchema>;

const parsed = new WeakMap<Env, Config>();

/**
 * The configuration of this deployment, parsed once.
 * @throws when a var is missing or malformed, naming it: a misconfigured deployment must fail as a whole.
 */
export function configOf(env: Env): Config {
  const known = parsed.get(env);
  if (known) return known;
  const result = configSchema.safeParse(env);
  if (!result.success) throw new Error(`configuration: ${z.prettifyError(result.error)}`);
  parsed.set(env, result.data);
  return result.data;
}
