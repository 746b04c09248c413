import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { blankTime, isoSecond, isoTime, parseTime } from '../../../src/dialects/voipbin/times.ts';
import { normalizeTel } from '../../../src/domain/addresses.ts';
import { nextMicros } from '../../../src/domain/time.ts';

describe('times', () => {
  const micros = fc.integer({ min: 0, max: 4_000_000_000_000_000 });

  test('are read back from both forms to the microsecond', () => {
    fc.assert(
      fc.property(micros, (at) => {
        expect(parseTime(blankTime(at))).toBe(at);
        expect(parseTime(isoTime(at))).toBe(at);
      }),
    );
  });

  test('have the seeds’ forms', () => {
    expect(blankTime(1_655_960_740_950_834)).toBe('2022-06-23 05:05:40.950834');
    expect(isoTime(1_709_287_200_000_000)).toBe('2024-03-01T10:00:00.000000Z');
    expect(isoSecond(1_705_314_600_000_000)).toBe('2024-01-15T10:30:00Z');
  });

  test('of nonsense are null', () => {
    for (const text of ['', 'zzz', '2022-13-45 99:99:99', '2022-06-23', '1655960740', '2022-06-23 05:05:40.1234567']) {
      expect(parseTime(text)).toBeNull();
    }
  });

  test('of one object grow even when the clock stands still or goes back', () => {
    expect(nextMicros(5_000, 1)).toBe(5_001);
    expect(nextMicros(5_000, 6)).toBe(6_000);
  });
});

describe('a telephone number', () => {
  test('is one address however it is written', () => {
    for (const text of ['+15551234567', ' +1 (555) 123-4567 ', '+1.555.123.4567', '0015551234567']) {
      expect(normalizeTel(text)).toBe('+15551234567');
    }
  });

  test('may be a short code or a name, and nothing else', () => {
    expect(normalizeTel('24273')).toBe('24273');
    expect(normalizeTel('MYBANK')).toBe('MYBANK');
    for (const text of ['', '+', '+0123', '+1234567890123456', 'someone@example.com'])
      expect(normalizeTel(text)).toBeNull();
  });

  test('stays itself when it is normalised again', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const once = normalizeTel(text);
        if (once !== null) expect(normalizeTel(once)).toBe(once);
      }),
    );
  });
});
