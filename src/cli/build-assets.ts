import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { guidePages, referencePage } from './docs-pages.ts';
import { root } from './settings.ts';

/**
 * Builds `dist/assets`, the folder that `[assets]` in wrangler.toml names: the web chat's widget and everything under /docs.
 * The platform serves it without the Worker. wrangler refuses to start while the folder is missing, so this runs first.
 */
const TARGET = join(root, 'dist', 'assets');
const WIDGET = join(root, 'src', 'widget', 'public');
const GUIDES = join(root, 'src', 'docs');
const PAGE = join(GUIDES, 'page');
const SCALAR = join(root, 'node_modules', '@scalar', 'api-reference', 'dist', 'browser');

/** File contents by path. All files are text. */
type Files = Map<string, string>;

export function buildAssets(): void {
  const files: Files = new Map([...widgetFiles(), ...docsFiles(), ['_headers', headers()]]);
  for (const [path, content] of files) write(path, content);
  removeStale(files);
}

/** Joins the `_headers` files of the parts, each of which covers its own paths. */
const headers = (): string =>
  [WIDGET, PAGE].map((folder) => readFileSync(join(folder, '_headers'), 'utf8').trim()).join('\n\n') + '\n';

const widgetFiles = (): Files => copies(WIDGET, '*.js', '');

function docsFiles(): Files {
  const guides = globSync('*.md', { cwd: GUIDES }).map(
    (name) => [basename(name, '.md'), readFileSync(join(GUIDES, name), 'utf8')] as const,
  );
  return new Map([
    ...guidePages(new Map(guides)),
    ['docs/reference.html', referencePage()],
    ...copies(PAGE, '*.{css,js}', 'docs'),
    // The viewer's build in modules, so that a browser loads only the chunks that it needs. Without source maps.
    ...copies(SCALAR, '{standalone.esm.js,chunks/*.js}', 'docs/scalar'),
  ]);
}

const copies = (folder: string, pattern: string, to: string): Files =>
  new Map(globSync(pattern, { cwd: folder }).map((name) => [join(to, name), readFileSync(join(folder, name), 'utf8')]));

/** Writes only what has changed: `wrangler dev` reloads the Worker when an asset changes, and another one may be serving this folder now. */
function write(path: string, content: string): void {
  const file = join(TARGET, path);
  if (existsSync(file) && readFileSync(file, 'utf8') === content) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

/** Only below /docs: other parts of the site may be built into this folder by other tools. */
function removeStale(files: Files): void {
  const found = globSync('docs/**/*.*', { cwd: TARGET });
  for (const path of found.filter((each) => !files.has(each))) rmSync(join(TARGET, path));
}

if (import.meta.main) buildAssets();
