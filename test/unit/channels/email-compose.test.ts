import fc from 'fast-check';
import { simpleParser, type AddressObject, type ParsedMail } from 'mailparser';
import { describe, expect, test } from 'vitest';
import { composeMail, type MailDraft } from '../../../src/channels/email/compose.ts';
import { fileName, oneLine, shortened } from '../../../src/channels/email/names.ts';
import { readMail, type ReadMail } from '../../../src/channels/email/read-mail.ts';

const draft = (parts: Partial<MailDraft> = {}): MailDraft => ({
  messageId: 'm.8d2f@support.example.com',
  from: { address: 'support@example.com', name: 'Support' },
  to: { address: 'ana@example.org', name: 'Ana' },
  replyTo: null,
  subject: 'Your order',
  text: 'On Friday.\n',
  inReplyTo: null,
  references: [],
  isAutomatic: false,
  mark: 'm.1.2',
  files: [],
  ...parts,
});

const raw = async (parts: Partial<MailDraft>): Promise<string> =>
  new TextDecoder().decode(await composeMail(draft(parts)));

const head = async (parts: Partial<MailDraft>): Promise<string> =>
  (await raw(parts)).split('\r\n\r\n', 1)[0]?.replaceAll(/\r\n(?=[ \t])/g, '') ?? '';

/** As a library sees it that has neither written nor read a mail of ours. */
const parsed = async (parts: Partial<MailDraft>): Promise<ParsedMail> =>
  simpleParser(Buffer.from(await composeMail(draft(parts))), { skipHtmlToText: true, skipTextToHtml: true });

async function readBack(parts: Partial<MailDraft>): Promise<ReadMail> {
  const result = await readMail(new Uint8Array(await composeMail(draft(parts))), 'support@example.com');
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

const nameIn = (field: AddressObject | AddressObject[] | undefined): string | undefined =>
  [field].flat()[0]?.value[0]?.name;

/** Anything that can stand in a string, with what mail has trouble with in greater number. */
const troubles = [
  '\r\n',
  '\n',
  '\r',
  '=?utf-8?Q?x?=',
  '?=',
  '=',
  '"',
  '\\',
  '\ud83d',
  '\0',
  '\t',
  ' ',
  '  ',
  '.',
  'From ',
  '<',
  '>',
  ',',
  ';',
  '@',
];
const letters = [
  '안녕',
  '👩‍👩‍👧',
  'שלום',
  'مرحبا',
  'é',
  'e\u0301',
  '日本',
  '\u2028',
  '\u00a0',
  '\ufeff',
  'word',
  'Bcc: x@y.z',
];
const anyText = (maxLength = 40): fc.Arbitrary<string> =>
  fc
    .array(fc.oneof(fc.constantFrom(...troubles, ...letters), fc.string({ unit: 'binary', maxLength: 8 })), {
      maxLength,
    })
    .map((parts) => parts.join(''));

const lines = (text: string): string =>
  text
    .toWellFormed()
    .replace(/^\uFEFF+/, '')
    .replaceAll(/\r\n?/g, '\n');

describe('form', () => {
  test('has what a mail must have', async () => {
    const headers = await head({ inReplyTo: 'a@x', references: ['r@x', 'a@x'], replyTo: 'reply@example.com' });
    expect(headers).toMatch(/^Date: \w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d \+0000$/m);
    expect(headers).toMatch(/^From: Support <support@example\.com>$/m);
    expect(headers).toMatch(/^To: Ana <ana@example\.org>$/m);
    expect(headers).toMatch(/^Reply-To: reply@example\.com$/m);
    expect(headers).toMatch(/^Message-ID: <m\.8d2f@support\.example\.com>$/m);
    expect(headers).toMatch(/^In-Reply-To: <a@x>$/m);
    expect(headers).toMatch(/^References: <r@x> <a@x>$/m);
    expect(headers).toMatch(/^Subject: Your order$/m);
    expect(headers).toMatch(/^X-Parley-Delivery: m\.1\.2$/m);
    expect(headers).toMatch(/^MIME-Version: 1\.0$/m);
    expect(headers).not.toMatch(/^Auto-Submitted/m);
    expect(await head({})).not.toMatch(/^(In-Reply-To|References|Reply-To)/m);
  });

  test('an automatic answer says so, and reads as one', async () => {
    expect(await head({ isAutomatic: true })).toMatch(/^Auto-Submitted: auto-replied$/m);
    expect((await readBack({ isAutomatic: true })).kind).toBe('automatic');
    expect((await readBack({})).kind).toBe('personal');
  });

  test('of many references the first stays, and the last twenty', async () => {
    const references = Array.from({ length: 60 }, (_, at) => `${at}@x`);
    expect((await readBack({ references })).references).toEqual(['0@x', ...references.slice(-20)]);
    expect((await readBack({ references: ['ok@x', 'b@x>\r\nBcc: y', '', 'ü@x'] })).references).toEqual(['ok@x']);
  });

  test('a file without a text, a text without a file, and nothing at all', async () => {
    const file = { filename: 'a.bin', type: 'application/pdf', content: new Uint8Array([1]) };
    expect(await readBack({ text: '', files: [file] })).toMatchObject({
      text: '',
      files: [{ ...file, contentId: '' }],
    });
    expect(await readBack({ text: '' })).toMatchObject({ text: '', files: [] });
  });

  test('a mail inside a mail, or a type that is none, goes as octets', async () => {
    const content = new TextEncoder().encode('Subject: é\n\nno CRLF\n');
    const files = ['message/rfc822', 'multipart/mixed', 'x; y\r\nBcc: z'].map((type) => ({
      filename: 'f',
      type,
      content,
    }));
    const found = (await readBack({ files })).files;
    expect(found.map(({ type }) => type)).toEqual(files.map(() => 'application/octet-stream'));
    for (const file of found) expect(file.content).toEqual(content);
  });

  test('a file of megabytes comes back', { timeout: 20_000 }, async () => {
    const content = new Uint8Array(5_000_000).map((_, at) => (at * 31) % 251);
    const found = await readBack({ files: [{ filename: 'big.bin', type: 'application/zip', content }] });
    expect(Buffer.compare(Buffer.from(found.files[0]?.content ?? []), Buffer.from(content))).toBe(0);
  });
});

describe('nothing in it can make a header of its own', () => {
  const ALLOWED =
    /^(From|To|Reply-To|Subject|X-Parley-Delivery|In-Reply-To|References|Message-ID|Date|Content-Transfer-Encoding|MIME-Version|Content-Type): /;

  test('whatever the names, subject, ids and file names are', async () => {
    await fc.assert(
      fc.asyncProperty(anyText(), anyText(), anyText(), async (a, b, c) => {
        const whole = await raw({
          subject: a,
          from: { address: 'support@example.com', name: b },
          to: { address: 'ana@example.org', name: c },
          mark: c || 'm',
          inReplyTo: a,
          references: [b, c],
          files: [{ filename: a, type: b, content: new Uint8Array([1]) }],
        });
        const [top = ''] = whole.split('\r\n\r\n', 1);
        for (const line of top.split(/\r\n(?![ \t])/)) expect(line).toMatch(ALLOWED);
        expect(whole).not.toMatch(/[^\r]\n|\r[^\n]|[^\0-\x7f]/);
        const longest = Math.max(...whole.split('\r\n').map((line) => line.length));
        expect(longest).toBeLessThanOrEqual(998);
      }),
    );
  });

  test('long words are cut into lines', async () => {
    const word = 'w'.repeat(5000);
    const whole = await raw({
      subject: word,
      text: word,
      from: { address: 'support@example.com', name: word },
      files: [{ filename: `${word}.pdf`, type: 'application/pdf', content: new Uint8Array(1) }],
    });
    expect(Math.max(...whole.split('\r\n').map((line) => line.length))).toBeLessThanOrEqual(998);
    expect((await parsed({ subject: word })).subject).toBe(word);
    expect((await parsed({ text: word })).text?.trimEnd()).toBe(word);
  });

  test('header lines are folded at 78 where they can be', async () => {
    const [top = ''] = (
      await raw({ subject: 'word '.repeat(60), references: Array.from({ length: 20 }, (_, at) => `${at}@x`) })
    ).split('\r\n\r\n', 1);
    for (const line of top.split('\r\n')) expect(line.length, line).toBeLessThanOrEqual(78);
  });
});

describe('comes back exactly, by mailparser and by our own reader', () => {
  test('subjects', async () => {
    await fc.assert(
      fc.asyncProperty(anyText(), async (subject) => {
        expect((await readBack({ subject })).subject).toBe(oneLine(subject));
        expect((await parsed({ subject })).subject ?? '').toBe(oneLine(subject));
      }),
    );
  });

  test('names', async () => {
    await fc.assert(
      fc.asyncProperty(anyText(12), async (name) => {
        const from = { address: 'support@example.com', name };
        const to = { address: 'ana@example.org', name };
        const expected = shortened(oneLine(name), 200).replaceAll('=?', '= ?');
        expect((await readBack({ from })).from).toEqual({ address: from.address, name: expected });
        const mail = await parsed({ from, to });
        expect(nameIn(mail.from)).toBe(expected);
        expect(nameIn(mail.to)).toBe(expected);
      }),
    );
  });

  test('texts', async () => {
    await fc.assert(
      fc.asyncProperty(anyText(60), async (text) => {
        expect((await readBack({ text })).text).toBe(lines(text).trimEnd());
        expect(lines((await parsed({ text })).text ?? '').trimEnd()).toBe(lines(text).trimEnd());
      }),
    );
  });

  test('files and their names', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ filename: anyText(8), content: fc.uint8Array({ maxLength: 300 }) }), { maxLength: 4 }),
        async (some) => {
          const files = some.map((file) => ({ ...file, type: 'application/pdf' }));
          const names = files.map(({ filename }) => fileName(filename).replaceAll('=?', '= ?'));
          const own = (await readBack({ files })).files;
          expect(own.map(({ filename }) => filename)).toEqual(names);
          const { attachments } = await parsed({ files });
          expect(attachments.map(({ filename }) => filename ?? '')).toEqual(names);
          for (const [at, { content }] of files.entries()) {
            expect(own[at]?.content).toEqual(content);
            expect(new Uint8Array(attachments[at]?.content ?? [])).toEqual(content);
          }
        },
      ),
    );
  });
});
