import { exports } from 'cloudflare:workers';
import { expect } from 'vitest';

/** The API of the Worker under test, as one customer's software uses it. Every test makes its own customer. */
export interface Hub {
  customerId: string;
  adminId: string;
  username: string;
  password: string;
  accessKey: string;
  /** With the access key. */
  call: Call;
  as: (credential: string) => Call;
}

export type Call = <T = Json>(
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<Answer<T>>;

export interface Answer<T> {
  status: number;
  body: T;
  headers: Headers;
}

/** A JSON body that a test reads freely: a wrong path fails the test. */
// oxlint-disable-next-line typescript/no-explicit-any -- tests read answers of every shape
export type Json = any;

export const ORIGIN = 'https://parley.example';

export const callWith =
  (credential: string | null): Call =>
  async (method, path, body, headers = {}) => {
    const response = await exports.default.fetch(`${ORIGIN}${path}`, {
      method,
      headers: {
        ...(credential === null ? {} : { authorization: `Bearer ${credential}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? null : JSON.parse(text) };
  };

let customers = 0;

export async function newHub(): Promise<Hub> {
  customers += 1;
  const username = `admin-${customers}-${crypto.randomUUID()}@example.com`;
  const made = await callWith('bootstrap-token-for-tests')('POST', '/v1.0/customers', { name: 'Test', username });
  expect(made.status).toBe(200);
  const { customer, agent, password, accesskey } = made.body;
  const call = callWith(accesskey.token);
  return {
    customerId: customer.id,
    adminId: agent.id,
    username,
    password,
    accessKey: accesskey.token,
    call,
    as: callWith,
  };
}

/** The body of an answer that must be a 200. */
export async function ok<T = Json>(answer: Promise<Answer<T>>): Promise<T> {
  const { status, body } = await answer;
  expect({ status, body: status === 200 ? null : body }).toEqual({ status: 200, body: null });
  return body;
}

export const newSandbox = (hub: Hub, parts: Json = {}): Promise<Json> =>
  ok(
    hub.call('POST', '/v1.0/conversation_accounts', {
      type: 'sms',
      name: 'Sandbox',
      provider_data: { provider: 'sandbox', number: '+15550100000' },
      ...parts,
    }),
  );

export const inbound = (hub: Hub, accountId: string, from: string, text: string): Promise<Json> =>
  ok(hub.call('POST', '/v1.0/sandbox/inbound', { account_id: accountId, from, text }));

/**
 * Repeats the check until it passes, while the runtime's queues and alarms work. @throws its last error after `tries`.
 * Counts tries instead of reading the clock, so that tests with a fake clock can use it too.
 */
export async function eventually<T>(check: () => Promise<T> | T, tries = 400): Promise<T> {
  for (let left = tries; ; left -= 1) {
    try {
      return await check();
    } catch (error) {
      if (left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
