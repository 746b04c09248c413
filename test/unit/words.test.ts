import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/**
 * design.md, "Words": names that read as a riddle, and what an engineer of this field calls the same thing. Those of the first
 * list are no English that anybody needs, so they stand nowhere in src, comments included.
 */
const NOWHERE =
  /\b(takeIn|bringUp|linkAtTop|parked|(?:or)?asBefore|as-before|carryOut|untold|obey\w*|whisper\w*|nudg\w*|spares?|horizons?|rearrang\w*|upkeep|chooseWays?)\b/i;

/** These read what the first release stored under its own names. */
const READS_OLD_NAMES = [
  'src/domain/conversation/identity/stored-state.ts',
  'src/objects/conversation/migrations.ts',
  'src/storage/conversations.ts',
];

/** Those of the second list are plain English in a sentence; as the name of a type, a function, a variable or a field they are not. */
const NO_NAMES =
  'Way way ways Link Spares Carrier carrier once exclusively everywhere Horizon Stretch stretch Room room Alongside alongside Parcel parcel Pace pump Verdict verdict meet part drop Rearrangement Found Unseen isLive leader follow adopt traces places place told reached settled'.split(
    ' ',
  );
const NAMED = new RegExp(`(?<![.\\w$])#?(${NO_NAMES.join('|')})(?![\\w$])`);

/** What is left of a line when texts and comments are taken out: keywords, names and signs. */
const codeOf = (source: string): string =>
  source
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/(?<!:)\/\/.*$/gm, '')
    .replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g, (text) => text.replace(/[^\n]/g, ' '));

const files = globSync('src/**/*.ts').filter((file) => !file.endsWith('.d.ts'));

const linesWith = (pattern: RegExp, read: (source: string) => string): string[] =>
  files.flatMap((file) =>
    read(readFileSync(file, 'utf8'))
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [])),
  );

test('no word that design.md replaces is left in src', () => {
  expect(files.length).toBeGreaterThan(100);
  const lines = linesWith(NOWHERE, (source) => source);
  expect(lines.filter((line) => !READS_OLD_NAMES.some((file) => line.startsWith(`${file}:`))).join('\n')).toBe('');
  expect(lines.length).toBeGreaterThan(0);
});

test('nothing has a name that design.md replaces', () => {
  expect(linesWith(NAMED, codeOf).join('\n')).toBe('');
});
