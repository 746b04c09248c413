import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { customerTerm, searchQuery, searchTerms } from '../../../src/domain/conversation/search.ts';

const CUSTOMER = '5e4a0680-804e-11ec-8477-2fea5968d85b';
const query = (wanted: string) => {
  const [, terms] = searchQuery(CUSTOMER, wanted)?.split(`customer : "${customerTerm(CUSTOMER)}" AND terms : `) ?? [];
  return terms?.slice(1, -1);
};

describe('what a text is found by', () => {
  test.each([
    ['When will my Order arrive?', 'when will my order arrive'],
    ['ada@x.example, +1 (555) 010-0000', 'ada x example 1 555 010 0000'],
    ['배송이 늦어요', '배송 송이 늦어 어요'],
    ['iPhone케이스', 'iphone 케이 이스'],
    ['東京タワー', '東京 京タ タワ ワー'],
    ['값', '값'],
    ['Ｆｕｌｌ ﬁt', 'full fit'],
    ['!?… 🙂', ''],
  ])('%s', (text, terms) => expect(searchTerms(text)).toBe(terms));
});

describe('what is searched for', () => {
  test.each([
    ['order friday', '"order" * AND "friday" *'],
    ['배송', '"배송"'],
    ['배송이', '"배송 송이"'],
    ['배', '"배" *'],
    ['ada@x.exa', '"ada x exa" *'],
    ['iPhone케이스', '"iphone 케이 이스"'],
    ['"; DROP TABLE * OR NEAR(', '"drop" * AND "table" * AND "or" * AND "near" *'],
  ])('%s', (wanted, expression) => expect(query(wanted)).toBe(expression));

  test('is nothing where there are no letters and no digits', () => {
    expect(searchQuery(CUSTOMER, ' … "" * ')).toBeNull();
  });

  test('holds no character that FTS5 would read as its own', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (wanted) => {
        const phrases = query(wanted)?.split(' AND ') ?? [];
        for (const phrase of phrases) expect(phrase).toMatch(/^"[\p{L}\p{M}\p{N}ー々 ]+"(?: \*)?$/u);
      }),
    );
  });

  test('finds every word of a text by its beginning, and every Korean one by any part of two', () => {
    const words = fc.array(fc.stringMatching(/^[a-z]{1,8}$/), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(words, fc.nat(), (text, pick) => {
        const word = text[pick % text.length] ?? '';
        const terms = searchTerms(text.join(' ')).split(' ');
        const typed = word.slice(0, 1 + (pick % word.length));
        expect(terms.some((term) => term.startsWith(typed))).toBe(true);
      }),
    );
  });
});
