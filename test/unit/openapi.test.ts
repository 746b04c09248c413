import { Validator } from '@seriousme/openapi-schema-validator';
import { expect, test } from 'vitest';
import { createApp } from '../../src/http/app.ts';
import { documentOf } from '../../src/http/docs.ts';

/** In Node, because the validator reads its schemas from disk. */
test('the document is valid OpenAPI 3.1', async () => {
  const document = JSON.parse(JSON.stringify(documentOf(createApp(), 'http://127.0.0.1:8787')));
  expect(document.openapi).toBe('3.1.0');
  expect(await new Validator().validate(document)).toEqual({ valid: true });
});
