import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

// design.md's "who may import whom": part of src -> what it may import. This test also fails when a new folder has no rule,
// or when nothing is read at all.
const EVERY_DAY = ['env.ts', 'log.ts'];
const ALLOWED: Record<string, string[]> = {
  domain: [],
  dialects: ['domain'],
  channels: ['domain', 'security'],
  webhooks: ['domain', 'security'],
  security: ['domain', ...EVERY_DAY],
  storage: ['domain', 'security', 'drizzle-orm', ...EVERY_DAY],
  objects: ['domain', 'dialects', 'storage', 'security', 'queues/jobs.ts', ...EVERY_DAY],
  app: ['domain', 'storage', 'channels', 'webhooks', 'security', 'objects/stubs.ts', 'type objects', ...EVERY_DAY],
  flows: ['app', 'domain', 'storage', 'webhooks', 'security', 'objects/stubs.ts', ...EVERY_DAY],
  // prettier-ignore
  queues: ['app', 'domain', 'dialects', 'storage', 'channels', 'webhooks', 'security', 'flows', 'objects/stubs.ts', ...EVERY_DAY],
  // prettier-ignore
  http: ['app', 'domain', 'dialects', 'storage', 'channels', 'webhooks', 'security', 'queues/jobs.ts', 'objects/stubs.ts', 'objects/live/protocol.ts', 'type objects', 'hono', '@hono', ...EVERY_DAY],
  cli: [],
  widget: [],
  'env.ts': [],
  'log.ts': [],
  'bindings.d.ts': [],
};
const GUARDED_PACKAGES = ['drizzle-orm', 'hono', '@hono'];
const IMPORT =
  /(?:\b(?:import|export)\s+(?<type>type\s)?(?:[^'"`;]*?\sfrom\s*)?|\bimport\(\s*)['"](?<path>[^'"]+)['"]/g;

interface Import {
  file: string;
  from: string;
  to: string;
  isType: boolean;
}

function importsOf(file: string): Import[] {
  const from = relative('src', file).split('/')[0] ?? '';
  return [...readFileSync(file, 'utf8').matchAll(IMPORT)].map(({ groups }) => {
    const path = groups?.['path'] ?? '';
    const to = path.startsWith('.') ? relative('src', join(dirname(file), path)) : path;
    return { file, from, to, isType: Boolean(groups?.['type']) };
  });
}

function isAllowed({ from, to, isType }: Import, ours: string[]): boolean {
  const [top = ''] = to.split('/');
  const guarded = ours.includes(top) || GUARDED_PACKAGES.includes(top);
  const allowed = ALLOWED[from] ?? [];
  return (
    !guarded ||
    top === from ||
    allowed.includes(top) ||
    allowed.includes(to) ||
    (isType && allowed.includes(`type ${top}`))
  );
}

test('each part of src imports only what design.md allows', () => {
  const files = globSync('src/**/*.ts');
  const ours = [...new Set(files.map((file) => relative('src', file).split('/')[0] ?? ''))];
  expect(files.length).toBeGreaterThan(20);
  expect(ours.filter((part) => part !== 'worker.ts' && !(part in ALLOWED))).toEqual([]);

  const imports = files.filter((file) => file !== 'src/worker.ts').flatMap(importsOf);
  expect(imports.length).toBeGreaterThan(20);
  const wrong = imports.filter((each) => !isAllowed(each, ours));
  expect(wrong.map(({ file, to }) => `${file} -> ${to}`).join('\n')).toBe('');
});

/** What only use cases may touch, so that no route begins to write one of its own. */
const APP_ALONE =
  /\bgetDirectory\b|\bchannelIo\b|env\.ADDRESS\b|\.(?:changeMembership|openWith)\(|getConversation\([^)]*\)\.(?:send|receive)\(|storage\/(?:erasures|address-history)\.ts/;

test('routes leave what spans several objects to the application layer', () => {
  const files = globSync('src/http/**/*.ts');
  expect(files.length).toBeGreaterThan(20);
  expect(files.filter((file) => APP_ALONE.test(readFileSync(file, 'utf8')))).toEqual([]);
});

test('a message is sent by one function: outside of the objects, nothing else makes a SendCommand', () => {
  const files = globSync(['src/{app,channels,dialects,flows,http,queues}/**/*.ts', 'src/worker.ts']);
  expect(files.filter((file) => /\bSendCommand\b/.test(readFileSync(file, 'utf8')))).toEqual([
    'src/app/conversations/send.ts',
  ]);
});

test('no files import each other in a circle, not even types', () => {
  const files = globSync('src/**/*.ts');
  const graph = new Map(
    files.map((file) => [
      file,
      importsOf(file)
        .map(({ to }) => join('src', to))
        .filter((to) => files.includes(to)),
    ]),
  );
  expect([...graph.values()].flat().length).toBeGreaterThan(100);
  expect(circlesIn(graph).map((circle) => circle.join(' -> '))).toEqual([]);
});

test('a circle is found, and a diamond is none', () => {
  const circular = new Map([
    ['a', ['b']],
    ['b', ['c', 'd']],
    ['c', ['a']],
    ['d', []],
  ]);
  expect(circlesIn(circular)).toEqual([['a', 'b', 'c', 'a']]);
  const diamond = new Map([
    ['a', ['b', 'c']],
    ['b', ['d']],
    ['c', ['d']],
    ['d', []],
  ]);
  expect(circlesIn(diamond)).toEqual([]);
});

/** One circle for each import that closes one, on a walk through the files. */
function circlesIn(graph: Map<string, string[]>): string[][] {
  const circles: string[][] = [];
  const done = new Set<string>();
  const walk = (file: string, path: string[]): void => {
    const start = path.indexOf(file);
    if (start >= 0) circles.push([...path.slice(start), file]);
    if (start >= 0 || done.has(file)) return;
    for (const next of graph.get(file) ?? []) walk(next, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) walk(file, []);
  return circles;
}
