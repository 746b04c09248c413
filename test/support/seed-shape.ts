import { expect } from 'vitest';
import type { Json } from './hub.ts';

/** The formats of a seed's strings. A string without one of them may be any text. */
const FORMATS = {
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  blankTime: /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/,
  isoTime: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/,
  isoSecond: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
};

/** Empty on the last page (spec section 9), and for a top-level message: the format is checked only if there is a value. */
const MAY_BE_EMPTY = new Set(['next_page_token', 'parent_id']);

/** Expects every field of the example in the answer, with the same type and format. Additional fields are allowed. */
export function likeExample(actual: Json, example: Json, path = '$'): void {
  if (Array.isArray(example)) {
    expect(Array.isArray(actual), `${path} is an array`).toBe(true);
    if (example.length > 0) for (const row of actual) likeExample(row, example[0], `${path}[]`);
  } else if (typeof example === 'object') {
    for (const [field, value] of Object.entries(example)) {
      expect(actual, `${path} has ${field}`).toHaveProperty([field]);
      likeExample(actual[field], value, `${path}.${field}`);
    }
  } else {
    expect(typeof actual, `type of ${path}`).toBe(typeof example);
    likeFormat(actual, example, path);
  }
}

function likeFormat(actual: Json, example: Json, path: string): void {
  if (typeof example !== 'string' || (actual === '' && MAY_BE_EMPTY.has(path.split('.').at(-1) ?? ''))) return;
  for (const [name, pattern] of Object.entries(FORMATS)) {
    if (pattern.test(example)) expect(actual, `${path} is a ${name}`).toMatch(pattern);
  }
}
