import { scrypt, timingSafeEqual } from 'node:crypto';
import { fromBase64, toBase64 } from './encoding.ts';

/** facts/platform.md section 4: the runtime caps N·r·p at 2^20, and 16 MiB leaves room in a 128 MB isolate. */
const COST = { N: 16_384, r: 8, p: 5 } as const;
const SALT_BYTES = 16;
const KEY_BYTES = 32;

type Cost = { N: number; r: number; p: number };

const derive = (password: string, salt: Uint8Array, cost: Cost): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), salt, KEY_BYTES, cost, (error, key) =>
      error ? reject(error) : resolve(new Uint8Array(key)),
    );
  });

/** `scrypt$N$r$p$salt$key`: the parameters are stored with the hash, so that they can be raised later. */
const encode = (salt: Uint8Array, key: Uint8Array): string =>
  ['scrypt', COST.N, COST.r, COST.p, toBase64(salt), toBase64(key)].join('$');

export async function hashPassword(password: string): Promise<string> {
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  return encode(salt, await derive(password, salt, COST));
}

/** A hash that no password matches, so that an unknown user takes as long as a wrong password. */
const UNMATCHED_HASH = encode(new Uint8Array(SALT_BYTES), new Uint8Array(KEY_BYTES));

export async function verifyPassword(password: string, stored: string | null): Promise<boolean> {
  const [, N, r, p, salt = '', key = ''] = (stored ?? UNMATCHED_HASH).split('$');
  const expected = fromBase64(key);
  const actual = await derive(password, fromBase64(salt), { N: Number(N), r: Number(r), p: Number(p) });
  return stored !== null && expected.length === actual.length && timingSafeEqual(expected, actual);
}
