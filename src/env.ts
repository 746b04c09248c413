import { z } from 'zod';

/** The vars and secrets, parsed. Bindings stay on `Env`; their names are explained here.
 *
 * DB              D1: the directory and the history across conversations.
 * CONVERSATION    one ConversationObject per conversation id.
 * ADDRESS         one AddressObject per customer, channel and pair of addresses.
 * TALK            one TalkObject per talk, by the talk's key (domain/talk/ids.ts).
 * FEED            one FeedObject per customer.
 * DIRECTORY       one DirectoryObject per customer.
 * MEDIA           R2: files that were uploaded (storage/medias.ts).
 * CHANNEL_SENDS   queue of deliveries to make (queues/jobs.ts).
 * ASSISTANT_TURNS queue of turns in which assistants are asked to answer.
 * FLOWS           the Workflow that runs activeflows (flows/workflow.ts), by the activeflow's id.
 * FILE_COPIES     queue of messages whose files are to be copied from their provider.
 * WEBHOOKS        queue of webhook deliveries to make.
 * EMAIL           Cloudflare's Email Service: mails go out by it.
 * API_LIMIT, HOOK_LIMIT, LOGIN_LIMIT   rate limits per customer, account and address.
 * CHAT_LIMIT      the same per visitor of the web chat, and per network address that begins sessions.
 * VERIFY_LIMIT    the same per e-mail address that a visitor wants to prove.
 */
const origin = z.url({ protocol: /^https?$/ }).transform((url) => url.replace(/\/+$/, ''));

const configSchema = z.object({
  /** Where the world reaches us; empty takes each request's own origin. */
  PUBLIC_URL: z.union([z.literal(''), origin]),
  /** `true` lets webhooks go to private addresses and plain http: for development only. */
  ALLOW_PRIVATE_TARGETS: z.enum(['true', 'false']).transform((text) => text === 'true'),
  /** The pages that may open sockets beside our own: origins with commas between them. */
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
  /** 32 bytes in base64; seals accounts' and webhooks' secrets in D1. Losing it loses them. */
  ENCRYPTION_KEY: z.string().regex(/^[A-Za-z0-9+/]{43}=$/),
  /** Lets its bearer make customers. */
  BOOTSTRAP_TOKEN: z.string().min(16),
});

export type Config = z.infer<typeof configSchema>;

const parsed = new WeakMap<Env, Config>();

/**
 * The configuration of this deployment, parsed once.
 * @throws when a var is missing or malformed, naming it: a wrong deployment must not half work.
 */
export function configOf(env: Env): Config {
  const known = parsed.get(env);
  if (known) return known;
  const result = configSchema.safeParse(env);
  if (!result.success) throw new Error(`configuration: ${z.prettifyError(result.error)}`);
  parsed.set(env, result.data);
  return result.data;
}
