import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { guidePages } from '../../src/cli/docs-pages.ts';

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
