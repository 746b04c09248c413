import { Marked, type Tokens } from 'marked';

/** Renders the guides: Markdown in, complete HTML documents out, so that the pages need no Markdown library. */

/** A guide's name (`sending`) and its Markdown. `README` is the front page; the order of its links is the order of the guides. */
type Guides = Map<string, string>;

interface Guide {
  name: string;
  title: string;
  html: string;
  sections: Section[];
}

interface Section {
  id: string;
  title: string;
}

const FRONT = 'README';

/** Paths in the asset folder and their content. `docs/sending.html` is served as `/docs/sending`. */
export function guidePages(guides: Guides): [path: string, html: string][] {
  const all = namesInOrder(guides).map((name) => read(name, guides.get(name) ?? ''));
  return all.map((guide) => [pathOf(guide.name), guidePage(guide, all)]);
}

function namesInOrder(guides: Guides): string[] {
  const front = guides.get(FRONT) ?? '';
  const linked = [...front.matchAll(/\]\((\w[\w-]*)\.md\)/g)].map(([, name]) => name ?? '');
  const names = [...new Set([FRONT, ...linked])];
  const unlinked = [...guides.keys()].filter((name) => !names.includes(name));
  const missing = names.filter((name) => !guides.has(name));
  if (unlinked.length + missing.length === 0) return names;
  throw new Error(
    `src/docs/README.md must link every guide. Not linked: ${unlinked.join(', ')}. Missing: ${missing.join(', ')}.`,
  );
}

const pathOf = (name: string): string => (name === FRONT ? 'docs.html' : `docs/${name}.html`);

const urlOf = (name: string): string => (name === FRONT ? '/docs' : `/docs/${name}`);

function read(name: string, markdown: string): Guide {
  const sections: Section[] = [];
  const marked = new Marked({
    renderer: {
      heading({ tokens, depth }: Tokens.Heading): string {
        const inner = this.parser.parseInline(tokens);
        if (depth === 1) return `<h1>${inner}</h1>\n`;
        const title = inner.replace(/<[^>]+>/g, '');
        const id = anchorOf(title);
        if (depth === 2) sections.push({ id, title });
        return `<h${depth} id="${id}"><a href="#${id}">${inner}</a></h${depth}>\n`;
      },
      link({ href, tokens }: Tokens.Link): string {
        return `<a href="${escape(onSite(href))}">${this.parser.parseInline(tokens)}</a>`;
      },
      // A scrollable box must be reachable by keyboard.
      code({ text }: Tokens.Code): string {
        return `<pre tabindex="0"><code>${escape(text)}</code></pre>\n`;
      },
      table(token: Tokens.Table): string {
        const row = (cells: Tokens.TableCell[], tag: string): string =>
          `<tr>${cells.map((cell) => `<${tag}>${this.parser.parseInline(cell.tokens)}</${tag}>`).join('')}</tr>`;
        const body = token.rows.map((cells) => row(cells, 'td')).join('\n');
        return `<div class="scroll" tabindex="0"><table><thead>${row(token.header, 'th')}</thead><tbody>${body}</tbody></table></div>\n`;
      },
    },
  });
  const html = marked.parse(markdown, { async: false });
  const title = /<h1>(.*?)<\/h1>/.exec(html)?.[1];
  if (title === undefined) throw new Error(`src/docs/${name}.md has no title.`);
  return { name, title, html, sections };
}

/** The same anchors as on GitHub, so that a link to a section works there too. */
const anchorOf = (title: string): string =>
  title
    .toLowerCase()
    .replace(/&[a-z#0-9]+;/g, '')
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

/** Guides link to each other as files (`sending.md#limits`), which is what a reader of the repository needs. */
function onSite(href: string): string {
  const [, name, section = ''] = /^([\w-]+)\.md(#.*)?$/.exec(href) ?? [];
  return name === undefined ? href : urlOf(name) + section;
}

function guidePage(guide: Guide, all: Guide[]): string {
  const next = all[all.indexOf(guide) + 1];
  return page(
    guide.name === FRONT ? 'Parley guides' : `${guide.title} · Parley`,
    '#guides',
    `<div class="columns">
<main>
${guide.html}${next && guide.name !== FRONT ? `<p class="next">Next: <a href="${urlOf(next.name)}">${next.title}</a></p>` : ''}
</main>
<nav id="guides" aria-label="Guides">
<ul>
${all.map((each) => entry(each, each === guide)).join('\n')}
<li><a href="/docs/reference">API reference</a></li>
</ul>
</nav>
</div>
<script src="/docs/guide.js" defer></script>`,
  );
}

function entry({ name, title, sections }: Guide, isCurrent: boolean): string {
  const label = name === FRONT ? 'Overview' : title;
  if (!isCurrent) return `<li><a href="${urlOf(name)}">${label}</a></li>`;
  const items = sections.map((section) => `<li><a href="#${section.id}">${section.title}</a></li>`);
  return `<li><a href="${urlOf(name)}" aria-current="page">${label}</a>${items.length > 0 ? `<ul>${items.join('')}</ul>` : ''}</li>`;
}

/** The page in which `reference.js` mounts the viewer. */
export const referencePage = (): string =>
  page(
    'API reference · Parley',
    '/docs',
    `<noscript><p>The API reference needs JavaScript. The same is in <a href="/openapi.json">openapi.json</a>.</p></noscript>
<div id="reference"></div>
<script type="module" src="/docs/reference.js"></script>`,
  );

/** `guides`: the target of the header's link to the guides. */
const page = (title: string, guides: string, body: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/style.css">
</head>
<body>
<nav class="top" aria-label="Documentation">
<a class="brand" href="/docs">Parley</a>
<a href="${guides}">Guides</a>
<a href="/docs/reference">API reference</a>
</nav>
${body}
</body>
</html>
`;

const escape = (text: string): string =>
  text.replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign] ?? sign);
