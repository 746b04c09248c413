import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { guidePages } from '../../src/cli/docs-pages.ts';
import { VOICEBIP_EVENT_NAMES } from '../../src/dialects/voicebip/events.ts';
import { WIRE_EVENT_NAMES } from '../../src/dialects/voipbin/events.ts';

const GUIDES = globSync('src/docs/*.md');
const read = (file: string): string => readFileSync(file, 'utf8');

describe('the README', () => {
  const lines = read('README.md').split('\n');

  it('has at most 250 lines', () => expect(lines.length).toBeLessThanOrEqual(251));

  it('leaves nothing to fill in where a command is to be pasted', () => {
    const blocks = [...read('README.md').matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block ?? '');
    expect(blocks.length).toBeGreaterThan(10);
    expect(blocks.filter((block) => /…|<[a-z ]+>\b/.test(block))).toEqual([]);
    // zsh, the shell of macOS, takes no comments from its prompt.
    expect(blocks.filter((block) => /^\s*#|\s#\s/m.test(block))).toEqual([]);
  });
});

test.each(['README.md', ...GUIDES])('every link of %s leads somewhere', (file) => {
  const links = [...read(file).matchAll(/\]\(([^)\s]+)\)/g)].map(([, href]) => href ?? '');
  const lost = links.filter((href) => !leadsSomewhere(file, href));
  expect(lost).toEqual([]);
});

function leadsSomewhere(file: string, href: string): boolean {
  if (/^https?:/.test(href)) return true;
  if (href.startsWith('/')) return file !== 'README.md' && ['/docs/reference', '/openapi.json'].includes(href);
  const [path = '', section] = href.split('#');
  const target = path === '' ? file : join(dirname(file), path);
  return existsSync(target) && (section === undefined || hasSection(target, section));
}

function hasSection(file: string, section: string): boolean {
  const guides = new Map(GUIDES.map((guide) => [guide.replace(/^.*\/|\.md$/g, ''), read(guide)]));
  const page = guidePages(guides).find(([path]) => path === `docs/${file.replace(/^.*\/|\.md$/g, '')}.html`);
  return page?.[1].includes(`id="${section}"`) ?? false;
}

describe('what guides name is what there is', () => {
  const named = (file: string): Set<string> =>
    new Set([...read(`src/docs/${file}`).matchAll(/`([^`\n]+)`/g)].map(([, code]) => code ?? ''));
  const config = read('wrangler.toml');

  it('every queue is created before the first deploy', () => {
    const [, loop = ''] = /^for q in (.+); do$/m.exec(read('src/docs/operations.md')) ?? [];
    const queues = [...config.matchAll(/^(?:queue|dead_letter_queue) = "(.+)"$/gm)].map(([, name]) => name ?? '');
    expect(loop.split(' ').toSorted()).toEqual([...new Set(queues)].toSorted());
  });

  it('every var and secret is explained', () => {
    const [, vars = ''] = /^\[vars\]\n([\s\S]*?)\n\n/m.exec(config) ?? [];
    const [, secrets = ''] = /^required = \[(.*)\]$/m.exec(config) ?? [];
    const names = [...`${vars} ${secrets}`.matchAll(/\b[A-Z][A-Z0-9_]+\b/g)].map(([name]) => name);
    expect(names.length).toBeGreaterThan(8);
    expect(names.filter((name) => !named('operations.md').has(name))).toEqual([]);
  });

  it('every event is listed', () => {
    const known = named('webhooks.md');
    expect([...WIRE_EVENT_NAMES, ...VOICEBIP_EVENT_NAMES].filter((name) => !known.has(name))).toEqual([]);
  });

  it('every folder of src has its place in the architecture, and none is missing', () => {
    const folders = readdirSync('src', { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const listed = [...read('src/docs/architecture.md').matchAll(/`src\/([a-z]+)\/`/g)].map(([, name]) => name ?? '');
    expect([...new Set(listed)].toSorted()).toEqual(folders.map(({ name }) => name).toSorted());
  });
});

describe('a guide’s page', () => {
  const guides = new Map([
    ['README', '# Guides\n\n- [One](one.md)\n- [Two](two.md)\n'],
    [
      'one',
      '# One & only\n\n## What `it` does\n\nSee [two](two.md#end), [API](/docs/reference).\n\n```sh\na < "b"\n```\n',
    ],
    ['two', '# Two\n\n## End\n\n| a |\n|---|\n| `x` |\n'],
  ]);
  const pages = new Map(guidePages(guides));

  it('stands under its name, and the front page at /docs', () => {
    expect([...pages.keys()]).toEqual(['docs.html', 'docs/one.html', 'docs/two.html']);
  });

  it('links to other pages instead of files', () => {
    expect(pages.get('docs/one.html')).toContain('<a href="/docs/two#end">two</a>');
    expect(pages.get('docs/one.html')).toContain('<a href="/docs/reference">API</a>');
  });

  it('has anchors, and lists its sections beside the other guides', () => {
    expect(pages.get('docs/one.html')).toContain('<h2 id="what-it-does">');
    expect(pages.get('docs/one.html')).toContain('<li><a href="#what-it-does">What it does</a></li>');
    expect(pages.get('docs/one.html')).toContain('<a href="/docs/one" aria-current="page">One &amp; only</a>');
  });

  it('leaves code as it is written', () => {
    expect(pages.get('docs/one.html')).toContain('<code>a &lt; &quot;b&quot;</code>');
  });

  it('must be linked from the front page', () => {
    expect(() => guidePages(new Map([...guides, ['three', '# Three']]))).toThrow('three');
  });
});
