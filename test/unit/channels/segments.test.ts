import fc from 'fast-check';
import { expect, test } from 'vitest';
import { segments } from '../../../src/channels/sms/segments.ts';

test.each([
  ['a', 160, 'GSM-7', 1],
  ['a', 161, 'GSM-7', 2],
  ['a', 306, 'GSM-7', 2],
  ['a', 307, 'GSM-7', 3],
  ['€', 80, 'GSM-7', 1],
  ['€', 81, 'GSM-7', 2],
  ['안', 70, 'UCS-2', 1],
  ['안', 71, 'UCS-2', 2],
  ['안', 134, 'UCS-2', 2],
  ['안', 135, 'UCS-2', 3],
  ['👋', 35, 'UCS-2', 1],
  ['👋', 36, 'UCS-2', 2],
])('%s × %i is %s in %i', (character, times, encoding, count) => {
  expect(segments(character.repeat(times))).toEqual({ encoding, count });
});

test('no text has no segments, and every other text has some', () => {
  expect(segments('')).toBeNull();
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 400 }), (text) => {
      expect(segments(text)?.count).toBeGreaterThan(0);
    }),
  );
});
