import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_FILES } from '../../../src/channels/email/files.ts';
import {
  MAX_BYTES,
  MAX_DASHED_LINES,
  MAX_HTML,
  MAX_LINES,
  MAX_TEXT,
  readMail,
  type ReadMail,
} from '../../../src/channels/email/read-mail.ts';
import { utf8 } from '../../../src/security/encoding.ts';

const SENT_AT = Date.parse('2026-11-24T10:03:11Z');
const ENVELOPE = 'bounce+1@sender.example';

const fixture = (name: string): Uint8Array => new Uint8Array(readFileSync(`test/fixtures/email/${name}.eml`));
const names = globSync('test/fixtures/email/*.eml').map((path) => basename(path, '.eml'));

async function read(raw: Uint8Array | string, envelopeFrom = ENVELOPE): Promise<ReadMail> {
  const result = await readMail(typeof raw === 'string' ? utf8(raw) : raw, envelopeFrom);
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

const mail = (headers: string[], body = 'hi\r\n', envelopeFrom = ENVELOPE): Promise<ReadMail> =>
  read([...headers, '', body].join('\r\n'), envelopeFrom);

const html = async (body: string): Promise<ReadMail> =>
  mail(['From: a@b.example', 'Content-Type: text/html; charset=utf-8'], body);

const mixed = (...parts: string[]): string =>
  [
    'From: a@b.example',
    'Content-Type: multipart/mixed; boundary=x',
    '',
    ...parts.map((part) => `--x\r\n${part}`),
    '--x--',
    '',
  ].join('\r\n');

const described = ({ files }: ReadMail): string[] =>
  files.map(({ filename, type, contentId }) => `${filename} ${type} ${contentId}`.trim());

describe('replies of the common mail programs', () => {
  test.each([
    ['gmail-reply', 'gildong.hong@gmail.com', '홍길동', 'Re: 주문 #1234 배송 문의'],
    ['outlook-desktop-reply', 'joerg.weber@contoso.example', 'Weber, Jörg', 'AW: Ihre Anfrage'],
    ['outlook-com-reply', 'ana.silva@outlook.com', 'Ana Silva', 'Re: Your order'],
    ['apple-mail-mac-reply', 'chloe@icloud.com', 'Chloé Martin', 'Re: Photos'],
    ['iphone-reply', 'sam.lee@me.com', 'Sam Lee', 'Re: Broken part'],
    ['thunderbird-reply', 'robin@example.net', 'Robin Fox', 'Re: Your ticket'],
  ])('%s is a personal answer to ours', async (name, address, sender, subject) => {
    const found = await read(fixture(name));
    expect(found).toMatchObject({ from: { address, name: sender }, subject, sentAt: SENT_AT });
    expect(found).toMatchObject({ kind: 'personal', ownMark: null, bounce: null });
    expect(found.recipients[0]).toBe('support@example.com');
    expect(found.references.at(-1)).toBe('m.8d2f@support.example.com');
    expect(found.messageId).toMatch(/^[^<>\s]+@[^<>\s]+$/);
    expect(found.text).not.toMatch(/\r|\s$/);
  });

  test('Gmail: base64, Korean, everybody in To and Cc, a file with an encoded name', async () => {
    const found = await read(fixture('gmail-reply'));
    expect(found.text).toMatch(/^안녕하세요 👋\n\n네, 금요일이 좋습니다\.\n\n2026년 .*님이 작성:\n\n> 금요일에/);
    expect(found.recipients).toEqual(['support@example.com', 'minsu.kim@example.org', 'orders@example.org']);
    expect(found.references).toEqual([
      'm.7c1e@support.example.com',
      'CAF=2qz8kWn@mail.gmail.com',
      'm.8d2f@support.example.com',
    ]);
    expect(described(found)).toEqual(['주문서 (1).pdf application/pdf f_mhx1abcd0']);
    expect(new TextDecoder().decode(found.files[0]?.content)).toBe('%PDF-1.4 order 1234');
  });

  test('Outlook: windows-1252, an inline image, a file; nothing of Word’s styles', async () => {
    const found = await read(fixture('outlook-desktop-reply'));
    expect(found.text).toMatch(/^Guten Tag,\n\ndas kostet 5 € – „schön“!\n/);
    expect(found.html).toMatch(/5 € – „schön“!.*<img [^>]*src="cid:image001.png@01DC5D32.9F3C1A00"/s);
    expect(found.html).not.toMatch(/VML|MsoNormal|o:p/);
    expect(described(found)).toEqual([
      'image001.png image/png image001.png@01DC5D32.9F3C1A00',
      'Angebot für Müller.docx application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    ]);
  });

  test('Outlook.com: the id on a folded line', async () => {
    const found = await read(fixture('outlook-com-reply'));
    expect(found.messageId).toMatch(/^PH7PR12MB5678.*outlook\.com$/);
    expect(found.references).toHaveLength(3);
    expect(found.text).toMatch(/^Olá, está ótimo\.\n_{32}\nFrom: Support/);
  });

  test('Apple: HTML in pieces around a file, and a decomposed name', async () => {
    const found = await read(fixture('apple-mail-mac-reply'));
    expect(found.html).toMatch(/Voici la photo.*<blockquote type="cite">/s);
    expect(found.files[0]?.filename.normalize('NFC')).toBe('Résumé.jpeg');
    const phone = await read(fixture('iphone-reply'));
    expect(phone).toMatchObject({ text: 'Here it is. \n\n\n\n\nSent from my iPhone', html: null });
    expect(described(phone)).toEqual(['IMG_0042.jpeg image/jpeg']);
  });

  test('Thunderbird: flowed lines are one paragraph', async () => {
    const { text, html: none } = await read(fixture('thunderbird-reply'));
    expect(text).toContain('\nThe newest one, which I installed yesterday — and it still does not work: naïve users');
    expect(text).toMatch(/\n-- \nRobin$/);
    expect(none).toBeNull();
  });

  test('Japanese and Korean character sets', async () => {
    expect(await read(fixture('iso-2022-jp'))).toMatchObject({
      from: { name: '山田太郎' },
      subject: 'お問い合わせ',
      text: 'こんにちは。注文の件です。',
    });
    const korean = await read(fixture('euc-kr'));
    expect(korean).toMatchObject({ from: { name: '김철수' }, subject: '배송 문의' });
    expect(korean.text).toMatch(/주문이 언제 도착하나요\?$/);
    expect(described(korean)).toEqual(['영수증.hwp application/octet-stream']);
  });
});

describe('headers', () => {
  test('groups, names with commas, and nobody', async () => {
    const found = await read(fixture('rfc2231-names'));
    expect(found.recipients).toEqual(['one@example.com', 'two@example.com', 'three@example.com']);
    expect(found.sentAt).toBe(Date.parse('2026-11-24T10:03:00Z'));
  });

  test('a missing or broken From is the envelope’s; of several the first', async () => {
    expect((await mail(['Subject: x'])).from).toEqual({ address: ENVELOPE, name: '' });
    expect((await mail(['From: nobody at all'])).from.address).toBe(ENVELOPE);
    expect((await mail(['From: One <ONE@x.example>, two@x.example'])).from).toEqual({
      address: 'one@x.example',
      name: 'One',
    });
    expect((await mail(['From: one@x.example', 'From: two@x.example'])).from.address).toBe('one@x.example');
    expect((await mail(['Subject: x'], 'hi', '')).from.address).toBe('');
  });

  test('a mail without an id gets the same each time, and another mail another', async () => {
    const [one, again, other] = await Promise.all([mail(['A: 1']), mail(['A: 1']), mail(['A: 2'])]);
    expect(one.messageId).toMatch(/^[0-9a-f]{64}@no-message-id\.invalid$/);
    expect(again.messageId).toBe(one.messageId);
    expect(other.messageId).not.toBe(one.messageId);
  });

  test('references: in order, each once, the parent last, at most 50 with the first among them', async () => {
    const found = await mail(['References: <a@x> <b@x>\r\n <a@x>', 'In-Reply-To: Your mail of Monday <c@x>']);
    expect(found.references).toEqual(['a@x', 'b@x', 'c@x']);
    expect((await mail(['In-Reply-To: bare@x'])).references).toEqual(['bare@x']);
    const many = Array.from({ length: 80 }, (_, at) => `<${at}@x>`);
    const { references } = await mail([`References: ${many.join('\r\n ')}`]);
    expect(references).toHaveLength(50);
    expect([references[0], references[1], references.at(-1)]).toEqual(['0@x', '31@x', '79@x']);
  });

  test.each([
    ['Tue, 24 Nov 2026 19:03:11 +0900 (KST)', SENT_AT],
    ['24 Nov 2026 10:03:11', SENT_AT],
    ['Tue, 24 Nov 2026 10:03:11 XYZ', SENT_AT],
    ['Tue, 24 Nov 2026 05:03:11 EST', SENT_AT],
    ['yesterday 5', null],
    ['2026', null],
    ['', null],
  ])('Date: %s', async (date, expected) => expect((await mail([`Date: ${date}`])).sentAt).toBe(expected));

  test('a subject is one line', async () => {
    expect((await mail(['Subject: a\r\n b =?utf-8?Q?c=0D=0ABcc:_d=00?='])).subject).toBe('a b c Bcc: d');
    expect((await mail(['X: y'])).subject).toBe('');
  });
});

describe('kind', () => {
  test.each(['exchange-out-of-office', 'gmail-vacation', 'newsletter'])('%s is automatic', async (name) =>
    expect(await read(fixture(name))).toMatchObject({ kind: 'automatic', bounce: null }),
  );

  test.each([
    'Auto-Submitted: auto-replied; owner-email="x@y"',
    'Auto-Submitted: auto-generated',
    'Precedence: bulk',
    'Precedence: List',
    'Precedence: junk',
    'Precedence: auto_reply',
    'List-Id: <x.y>',
    'X-Autoreply: yes',
    'X-Auto-Response-Suppress: OOF, AutoReply',
  ])('%s is automatic', async (header) => expect((await mail([header])).kind).toBe('automatic'));

  test.each(['Auto-Submitted: no', 'Auto-Submitted: NO (really)', 'Precedence: normal', 'X-Autoreply: no'])(
    '%s is not',
    async (header) => expect((await mail([header])).kind).toBe('personal'),
  );

  test('what has no return address is automatic', async () => {
    expect((await mail(['X: y'], 'hi', '')).kind).toBe('automatic');
    expect((await mail(['X: y'], 'hi', '<>')).kind).toBe('automatic');
  });

  test('our own mark is that of the mail itself, and not of one inside it', async () => {
    expect((await mail(['X-Parley-Delivery: m.1.2'])).ownMark).toBe('m.1.2');
    const attached = await read(fixture('attached-mail'));
    expect(attached).toMatchObject({ kind: 'personal', ownMark: null, bounce: null, text: 'Is this true?' });
    expect(described(attached)).toEqual(['message.eml message/rfc822']);
  });
});

describe('bounces', () => {
  test.each([
    ['postfix-bounce', '5.1.1', /^550 5\.1\.1 <nobody@example\.net>: Recipient address rejected: User unknown$/],
    ['exchange-bounce', '5.1.10', /^550 5\.1\.10 RESOLVER\.ADR\.RecipientNotFound; Recipient/],
    ['gmail-bounce', '5.1.1', /^550-5\.1\.1 The email account .* 550 5\.1\.1 unnecessary spaces\.$/],
  ])('%s says what failed, and which of ours it was', async (name, status, diagnostic) => {
    const { kind, bounce } = await read(fixture(name), '');
    expect(kind).toBe('bounce');
    expect(bounce).toEqual({ action: 'failed', status, diagnostic: expect.stringMatching(diagnostic), mark: 'm.1.2' });
  });

  const report = (fields: string, type = 'multipart/report; report-type=delivery-status'): Promise<ReadMail> =>
    mail(
      ['From: x@y.example', `Content-Type: ${type}; boundary=r`],
      `--r\r\n\r\nSorry\r\n--r\r\nContent-Type: message/delivery-status\r\n\r\n${fields}\r\n--r--\r\n`,
    );

  test.each([
    ['Action: delayed\r\nStatus: 4.4.7', 'delayed', '4.4.7'],
    ['Action: delivered\r\nStatus: 2.0.0', 'delivered', '2.0.0'],
    ['Action: relayed\r\nStatus: 2.1.9', 'other', '2.1.9'],
    ['Action: failed\r\nDiagnostic-Code: smtp; 552 5.2.2 full', 'failed', '5.2.2'],
    ['nonsense', 'other', ''],
  ])('%j', async (fields, action, status) => {
    const { bounce } = await report(`Reporting-MTA: dns; x\r\n\r\n${fields}\r\n`);
    expect(bounce).toMatchObject({ action, status, mark: null });
  });

  test('a report is one also where its type or its part is missing', async () => {
    expect((await report('Action: failed', 'multipart/mixed')).kind).toBe('bounce');
    const truncated = await mail(['Content-Type: multipart/report; boundary=r; report-type="delivery-status"'], '--r');
    expect(truncated.bounce).toEqual({ action: 'other', status: '', diagnostic: '', mark: null });
    const receipt = await mail(['Content-Type: multipart/report; boundary=r; report-type=disposition-notification']);
    expect(receipt).toMatchObject({ kind: 'automatic', bounce: null });
  });
});

describe('HTML', () => {
  const ATTACKS =
    /script|onerror|onload|onclick|javascript|alert\(1?[^4]\)|evil\.example\/|<form|<input|<iframe|<svg|<style|url\(|<base|<meta|<link|data:|vbscript|position/i;

  test('nothing of an attack is left, and what is harmless stays', async () => {
    const { html: safe, text } = await read(fixture('hostile-html'));
    expect(safe).not.toMatch(ATTACKS);
    expect(safe).toMatch(/<p style="color:red">Visible text<\/p>/);
    expect(safe).toMatch(/<img alt="logo" src="cid:logo@evil\.example" \/>/);
    expect(safe).toMatch(/href="https:\/\/ok\.example\/page"[^>]*rel="noopener noreferrer nofollow"/);
    expect(safe).toMatch(/href="mailto:ok@ok\.example"/);
    expect(text).toMatch(/^Visible text\n/);
    expect(text).not.toMatch(/script text|frame text|svg text|evil\.example\/|Never/);
  });

  test('a newsletter is its text; its pictures are not fetched', async () => {
    const found = await read(fixture('newsletter'));
    expect(found.text).toBe('Big sale\n\n50\u00a0% off — look (https://shop.example/sale?u=1)\n\nA red coat');
    expect(found.html).not.toMatch(/src=|background|Never shown/);
    expect(found.html).toContain('<img alt="A red coat" />');
  });

  test('the text is never empty where there is something to see', async () => {
    expect((await html('<img src="https://x.example/whole-mail.png">')).text).toBe('[image]');
    expect((await html('<b>bold</b>')).text).toBe('bold');
    const parts = mixed('Content-Type: text/plain\r\n\r\n \r\n', 'Content-Type: text/html\r\n\r\n<p>seen</p>');
    const blank = await read(parts.replace('multipart/mixed', 'multipart/alternative'));
    expect(blank.text).toBe('seen');
    expect(await html('<script>x</script>')).toMatchObject({ text: '', html: null });
  });

  const HARMLESS: Record<string, RegExp> = {
    href: /^https:\/\/evil\.example\//,
    target: /^_blank$/,
    rel: /^noopener noreferrer nofollow$/,
    style: /^$/,
  };

  test('whatever it is made of, nothing that runs or reaches out comes through', async () => {
    const bits = [
      '<',
      '>',
      '"',
      "'",
      '=',
      ' ',
      '/',
      '<img src=',
      '<a href=',
      'javascript:',
      'https://evil.example/',
      '<svg',
    ];
    const more = [
      '<script',
      '</',
      'onerror=',
      '<style',
      'style="',
      'url(',
      '<!--',
      '-->',
      '&lt;',
      '\n',
      '<p ',
      'x',
      '<math',
    ];
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...bits, ...more), { maxLength: 30 }), async (parts) => {
        const tags = ((await html(parts.join(''))).html ?? '').match(/<[^>]*>/g) ?? [];
        for (const tag of tags) {
          expect(tag).toMatch(/^<\/?(a|img|p)( [a-z]+="[^"]*")*( \/)?>$/);
          for (const [, name = '', value = ''] of tag.matchAll(/ ([a-z]+)="([^"]*)"/g))
            expect(value).toMatch(HARMLESS[name] ?? /nothing else may be there/);
        }
      }),
    );
  });
});

describe('files', () => {
  test('names have no path and no control characters, types no parameters', async () => {
    const found = await read(fixture('rfc2231-names'));
    expect(described(found)).toEqual([
      '매우 긴 이름 end.pdf application/pdf',
      'pic.png image/png',
      'naïve .exe application/x-msdownload',
      'application/octet-stream',
    ]);
  });

  test('a name that turns the direction of writing does not, and a long one keeps its ending', async () => {
    const part = (name: string) => `Content-Type: a/b\r\nContent-Disposition: attachment; filename="${name}"\r\n\r\nx`;
    const found = await read(mixed(part('gpj.\u202Efdp.exe'), part(`${'n'.repeat(500)}.pdf`)));
    expect(found.files[0]?.filename).toBe('gpj. fdp.exe');
    expect(found.files[1]?.filename).toMatch(/^n{196}\.pdf$/);
  });

  test('of too many the rest is counted', async () => {
    const parts = Array.from({ length: 150 }, (_, at) => `Content-Type: a/b; name=${at}\r\n\r\n${at}`);
    const { files } = await read(mixed(...parts));
    expect(files).toHaveLength(MAX_FILES);
    expect(files[98]?.filename).toBe('98');
    expect(files[99]?.type).toBe('text/plain');
    expect(new TextDecoder().decode(files[99]?.content)).toMatch(/^51 more files/);
    expect((await read(mixed(...parts.slice(0, MAX_FILES)))).files.at(-1)?.filename).toBe('99');
  });

  test('a long text is cut, between characters, and whole in a file', async () => {
    const long = `x${'👋'.repeat(MAX_TEXT)}`;
    const found = await mail(['From: a@b.example'], long);
    expect(found.text.length).toBeLessThanOrEqual(MAX_TEXT);
    expect(found.text.slice(0, 5)).toBe('x👋👋');
    expect(found.text).toMatch(/👋$/u);
    expect(described(found)).toEqual(['message.txt text/plain']);
    expect(new TextDecoder().decode(found.files[0]?.content)).toBe(long);
  });

  test('HTML that is too long is a file, and its beginning is read', async () => {
    const found = await html(`<p>${'word '.repeat(MAX_HTML / 4)}</p>`);
    expect(found).toMatchObject({ html: null, text: expect.stringMatching(/^word word/) });
    expect(described(found)).toEqual(['message.txt text/plain', 'message.html text/html']);
  });
});

describe('bad input', () => {
  const FROM = 'From: a@b.example\r\n';
  const nested = (depth: number): string =>
    FROM +
    Array.from({ length: depth }, (_, at) => `Content-Type: multipart/mixed; boundary=b${at}\r\n\r\n--b${at}\r\n`).join(
      '',
    );

  test.each([
    ['nesting', () => nested(3000), 'the parts of the mail are nested too deeply'],
    ['one header of a megabyte', () => `${FROM}X: ${'a'.repeat(1_000_000)}`, 'the headers of the mail are too large'],
    ['many headers', () => 'X: y\r\n'.repeat(200_000), 'the headers of the mail are too large'],
    ['size', () => 'x'.repeat(MAX_BYTES + 1), 'the mail is larger than 25 MB'],
  ])('%s is refused in words of ours', async (_what, raw, error) =>
    expect(await readMail(utf8(raw()), ENVELOPE)).toEqual({ ok: false, error }),
  );

  test.each([
    [
      'parts',
      () =>
        `${FROM}Content-Type: multipart/mixed; boundary=x\r\n\r\n${'--x\r\n\r\na\r\n'.repeat(MAX_DASHED_LINES * 3)}`,
    ],
    ['lines', () => `${FROM}\r\n${'a\n'.repeat(MAX_LINES + 10)}`],
  ])(
    'too many %s are read as far as they go, and the whole mail is a file',
    { timeout: 30_000 },
    async (_what, raw) => {
      const bytes = utf8(raw());
      const { files, text } = await read(bytes);
      expect(text.slice(0, 10)).toMatch(/^a\n+a/);
      expect(files.find(({ filename }) => filename === 'message.eml')?.content).toEqual(bytes);
    },
  );

  test.each([
    ['<b>', 300_000],
    ['<table><tr><td>x', 60_000],
    ['<blockquote>x\n', 70_000],
    ['<p style="color:red', 50_000],
    ['<!--', 250_000],
    ['<', 1_000_000],
    ['&', 1_000_000],
    ['<ol><li>', 125_000],
  ])('%s again and again is read in time', { timeout: 15_000 }, async (bit, times) => {
    expect((await html(bit.repeat(times))).from.address).toBe('a@b.example');
  });

  test.each([
    ['To', '<', 400_000],
    ['To', 'a:', 100_000],
    ['From', '(', 400_000],
    ['From', '"a', 200_000],
    ['Subject', '=?utf-8?Q?', 40_000],
    ['References', '<', 400_000],
    ['Date', ' 1', 200_000],
  ])('%s: %s again and again is read in time', { timeout: 15_000 }, async (name, bit, times) => {
    expect((await mail([`${name}: 1 Jan ${bit.repeat(times)}`])).text).toBe('hi');
  });

  test('an unknown character set is read as well as can be', async () => {
    expect((await mail(['Content-Type: text/plain; charset=klingon'], 'still here')).text).toBe('still here');
  });

  test('every fixture, cut anywhere, is a mail all the same', async () => {
    for (const name of names) {
      const raw = fixture(name);
      for (let at = 0; at < raw.length; at += 97) await read(raw.subarray(0, at));
    }
  });

  test('any bytes are a result', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 500 }),
        fc.constantFrom(...names),
        fc.nat(),
        async (bytes, name, at) => {
          expect((await readMail(bytes, ENVELOPE)).ok).toBe(true);
          const raw = fixture(name);
          raw.set(bytes.subarray(0, 20), at % (raw.length - 20));
          const { ok } = await readMail(raw, ENVELOPE);
          expect(ok).toBe(true);
        },
      ),
    );
  });
});
