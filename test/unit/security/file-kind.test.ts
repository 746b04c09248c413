import { describe, expect, test } from 'vitest';
import { kindOfFile } from '../../../src/security/file-kind.ts';

const bytes = (...parts: (string | number[])[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === 'string' ? [...Buffer.from(part, 'latin1')] : part)));

const PNG = bytes(
  [0x89],
  'PNG\r\n',
  [0x1a, 0x0a, 0, 0, 0, 13],
  'IHDR',
  [0, 0, 0, 1, 0, 0, 0, 1, 8, 6, 0, 0, 0],
  'xxxx',
  [0, 0, 0, 0],
  'IEND',
);
const JPEG = bytes([0xff, 0xd8, 0xff, 0xe0, 0, 16], 'JFIF');
const EXE = bytes('MZ', Array(58).fill(0), [0x80, 0, 0, 0], Array(64).fill(0), 'PE', [0, 0]);
const ELF = bytes([0x7f], 'ELF', [2, 1, 1, 0]);
const PDF = bytes('%PDF-1.7\n');
const ZIP = bytes('PK', [3, 4, 20, 0, 0, 0, 8, 0], Array(20).fill(0));

describe('a file is what stands in it', () => {
  test.each([
    ['a picture', PNG, 'image/png', 'image/png'],
    ['a picture by another name', JPEG, 'image/png', 'image/jpeg'],
    ['a picture without a name', JPEG, 'application/octet-stream', 'image/jpeg'],
    ['a PDF', PDF, 'application/pdf', 'application/pdf'],
    ['a text', bytes('hello'), 'text/plain', 'text/plain'],
    ['a table', bytes('a,b\n1,2'), 'text/csv', 'text/csv'],
    ['what nobody knows', bytes('hello'), 'application/octet-stream', 'application/octet-stream'],
    ['an archive', ZIP, 'application/zip', 'application/zip'],
    ['an archive that calls itself a picture', ZIP, 'image/png', 'application/zip'],
  ])('%s', async (_, head, declared, type) => {
    expect(await kindOfFile(head, declared)).toEqual({ ok: true, value: type });
  });

  test.each([
    ['a program', EXE, 'application/octet-stream'],
    ['a program that calls itself a picture', EXE, 'image/png'],
    ['a program of another system', ELF, 'application/pdf'],
    ['a script', bytes('#!/bin/sh\nrm -rf /'), 'text/plain'],
    ['a text that calls itself a picture', bytes('hello'), 'image/png'],
    ['a page that calls itself a film', bytes('<html>'), 'video/mp4'],
  ])('%s is refused', async (_, head, declared) => {
    expect(await kindOfFile(head, declared)).toMatchObject({ ok: false });
  });
});
