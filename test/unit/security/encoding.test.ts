import { expect, test } from 'vitest';
import { fromBase64, toBase64 } from '../../../src/security/encoding.ts';

test('base64 of any length is that of Node, and is read back', () => {
  for (const length of [0, 1, 8191, 8192, 8193, 1_000_000]) {
    const bytes = Uint8Array.from({ length }, (_, index) => (index * 31) % 256);
    const text = toBase64(bytes);
    expect(text).toBe(Buffer.from(bytes).toString('base64'));
    expect(fromBase64(text)).toEqual(bytes);
  }
});
