import { expect, test } from 'vitest';
import { composeMail } from '../../src/channels/email/compose.ts';
import { readMail } from '../../src/channels/email/read-mail.ts';
import { utf8 } from '../../src/security/encoding.ts';

/** The libraries that read and write mails were made for Node: here they run where the hub does. */

const bytesOf = (binary: string): Uint8Array => Uint8Array.from(binary, (letter) => letter.charCodeAt(0));

test('a mail is written, and reads as it was', async () => {
  const raw = await composeMail({
    messageId: 'm.1@support.example.com',
    from: { address: 'support@example.com', name: '고객센터' },
    to: { address: 'ana@example.org', name: 'Ana "A" Silva' },
    replyTo: 'reply@example.com',
    subject: '주문 👋',
    text: 'Olá 👋\n.\nFrom us\n',
    inReplyTo: 'a@x',
    references: ['r@x', 'a@x'],
    isAutomatic: false,
    mark: 'm.1.2',
    files: [
      { filename: '보고서.pdf', type: 'application/pdf', content: new Uint8Array([0, 255, 10, 13]) },
      { filename: '', type: 'image/png', content: new Uint8Array() },
    ],
  });
  expect(await readMail(raw, 'support@example.com')).toMatchObject({
    ok: true,
    value: {
      from: { address: 'support@example.com', name: '고객센터' },
      subject: '주문 👋',
      text: 'Olá 👋\n.\nFrom us',
      references: ['r@x', 'a@x'],
      ownMark: 'm.1.2',
      kind: 'personal',
      files: [
        { filename: '보고서.pdf', type: 'application/pdf', content: new Uint8Array([0, 255, 10, 13]) },
        { filename: '', type: 'image/png', content: new Uint8Array() },
      ],
    },
  });
});

test('HTML is made safe, and is read', async () => {
  const body =
    '<p onclick=x() style="color:red;background:url(//x)">Hello <a href="https://ok.example">you</a></p><script>x()</script>';
  const found = await readMail(utf8(`From: a@b.c\r\nContent-Type: text/html\r\n\r\n${body}`), 'a@b.c');
  expect(found).toMatchObject({ ok: true, value: { text: 'Hello you (https://ok.example)' } });
  expect(found.ok && found.value.html).toBe(
    '<p style="color:red">Hello <a href="https://ok.example" target="_blank" rel="noopener noreferrer nofollow">you</a></p>',
  );
});

test.each([
  ['iso-2022-jp', '\x1b$B$3$s$K$A$O\x1b(B', 'こんにちは'],
  ['shift_jis', '\x82\xb1\x82\xf1', 'こん'],
  ['euc-kr', '\xc1\xd6\xb9\xae \x8c\x63', '주문 똠'],
  ['ks_c_5601-1987', '\xc1\xd6\xb9\xae', '주문'],
  ['gb2312', '\xc4\xe3\xba\xc3', '你好'],
  ['big5', '\xa7\x41\xa6\x6e', '你好'],
  ['windows-1252', '5 \x80 \x93', '5 € “'],
  ['koi8-r', '\xf0\xd2\xc9', 'При'],
])('%s is known here', async (charset, binary, text) => {
  const raw = bytesOf(`From: a@b.c\r\nContent-Type: text/plain; charset=${charset}\r\n\r\n${binary}\r\n`);
  expect(await readMail(raw, 'a@b.c')).toMatchObject({ ok: true, value: { text } });
});

test('25 MB end in time, also where they are nothing but line ends', { timeout: 60_000 }, async () => {
  const head = 'From: a@b.c\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n';
  const file = await readMail(utf8(head + `${'QUJD'.repeat(19)}\r\n`.repeat(330_000)), 'a@b.c');
  expect(file.ok && file.value.files[0]?.content.length).toBe(330_000 * 57);
  expect((await readMail(new Uint8Array(25 * 1024 * 1024).fill(10), 'a@b.c')).ok).toBe(true);
});
