import { expect, expectTypeOf, test } from 'vitest';
import { defined } from '../../../src/domain/optional.ts';

test('leaves out what is undefined, and nothing else', () => {
  const name: string | undefined = [][0];
  const fields = defined({ name, detail: '', count: 0, owner: null, isOpen: false });
  expect(Object.keys(fields)).toEqual(['detail', 'count', 'owner', 'isOpen']);
  expectTypeOf(fields).toExtend<{ name?: string; detail: string; count: number; owner: null }>();
});
