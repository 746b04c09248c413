/** The faults that are injected now. Tests and the Worker under test share one isolate, so a test sets these directly. */
export const faults = {
  /** Every call of D1 rejects. */
  d1: false,
  /** D1 executes every call, and then rejects as if the answer were lost. */
  d1AnswerLost: false,
  /** D1 never answers a batch, which is how logs are projected. */
  d1BatchHangs: false,
  /** Queues accept every message and lose it. */
  queueLoses: false,
  /** Queues refuse every message. */
  queueFails: false,
  /** R2 rejects every read. */
  r2: false,
  /** The error code with which the mail service refuses every mail. Empty: it accepts everything. */
  mail: '',
};

/** The mails that the mail service accepted, oldest first. It sets its own Message-IDs, as Cloudflare does. */
export const outbox: { from: string; to: string; raw: string; messageId: string }[] = [];

export function heal(): void {
  Object.assign(faults, {
    d1: false,
    d1AnswerLost: false,
    d1BatchHangs: false,
    queueLoses: false,
    queueFails: false,
    r2: false,
    mail: '',
  });
}

const known = new WeakMap<Env, Env>();

/** Returns the same environment for the same bindings, because some caches have the environment as their key. */
export function withFaults(env: Env): Env {
  const faulty = known.get(env) ?? {
    ...env,
    DB: faultyD1(env.DB),
    MEDIA: faultyR2(env.MEDIA),
    CHANNEL_SENDS: faultyQueue(env.CHANNEL_SENDS),
    ASSISTANT_TURNS: faultyQueue(env.ASSISTANT_TURNS),
    FILE_COPIES: faultyQueue(env.FILE_COPIES),
    WEBHOOKS: faultyQueue(env.WEBHOOKS),
    EMAIL: mailService,
  };
  known.set(env, faulty);
  known.set(faulty, faulty);
  return faulty;
}

const faultyR2 = (bucket: R2Bucket): R2Bucket =>
  new Proxy(bucket, {
    get(target, name) {
      if (faults.r2 && (name === 'get' || name === 'head')) return () => Promise.reject(new Error('injected'));
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });

/** The key under which miniflare's EmailMessage keeps the mail. */
const RAW = 'EmailMessage::raw';

const mailService: SendEmail = {
  async send(message: EmailMessage | EmailMessageBuilder): Promise<EmailSendResult> {
    if (faults.mail !== '') throw Object.assign(new Error('injected'), { code: faults.mail });
    const raw: unknown = Reflect.get(message, RAW);
    const text = raw instanceof ReadableStream ? await new Response(raw).text() : String(raw);
    const messageId = `<${crypto.randomUUID()}@platform.example>`;
    outbox.push({
      from: textAt(message, 'from'),
      to: textAt(message, 'to'),
      raw: text,
      messageId,
    });
    return { messageId };
  },
};

function textAt(object: object, key: string): string {
  const value: unknown = Reflect.get(object, key);
  return typeof value === 'string' ? value : '';
}

const D1_CALLS = new Set(['batch', 'exec', 'run', 'all', 'first', 'raw']);

function faultyD1<T extends object>(target: T): T {
  return new Proxy(target, {
    get(object, name) {
      const value: unknown = Reflect.get(object, name);
      if (typeof value !== 'function') return value;
      if (D1_CALLS.has(String(name)))
        return (...parameters: unknown[]) =>
          d1Call(() => Reflect.apply(value, object, unwrapAll(parameters)), String(name));
      return (...parameters: unknown[]) => {
        const made: unknown = Reflect.apply(value, object, unwrapAll(parameters));
        return typeof made === 'object' && made !== null ? remember(faultyD1(made), made) : made;
      };
    },
  });
}

const originals = new WeakMap<object, object>();

function remember<T extends object>(proxy: T, original: object): T {
  originals.set(proxy, original);
  return proxy;
}

const unwrap = (value: unknown): unknown =>
  typeof value === 'object' && value !== null ? (originals.get(value) ?? value) : value;

/** `batch` needs the original statements, not their proxies. */
const unwrapAll = (parameters: unknown[]): unknown[] =>
  parameters.map((parameter) => (Array.isArray(parameter) ? parameter.map(unwrap) : unwrap(parameter)));

async function d1Call(call: () => unknown, name: string): Promise<unknown> {
  if (name === 'batch' && faults.d1BatchHangs) await new Promise(() => undefined);
  if (faults.d1) throw new Error('D1_ERROR: injected: network connection lost');
  const answer = await call();
  if (faults.d1AnswerLost) throw new Error('D1_ERROR: injected: answer lost');
  return answer;
}

function faultyQueue(queue: Queue): Queue {
  return new Proxy(queue, {
    get(object, name) {
      const value: unknown = Reflect.get(object, name);
      if (typeof value !== 'function') return value;
      return async (...parameters: unknown[]) => {
        if (faults.queueFails) throw new Error('injected: queue unavailable');
        if (!faults.queueLoses) await Reflect.apply(value, object, parameters);
      };
    },
  });
}
