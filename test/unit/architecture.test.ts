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
  sandbox: ['domain', 'storage', 'type channels', 'webhooks', 'security', ...EVERY_DAY],
  objects: ['domain', 'dialects', 'storage', 'security', 'queues/jobs.ts', ...EVERY_DAY],
  erasure: ['domain', 'storage', 'objects/stubs.ts', ...EVERY_DAY],
  flows: ['domain', 'storage', 'channels', 'webhooks', 'security', 'objects/stubs.ts', ...EVERY_DAY],
  // prettier-ignore
  queues: ['domain', 'dialects', 'storage', 'channels', 'webhooks', 'security', 'sandbox', 'flows', 'erasure', 'objects/stubs.ts', ...EVERY_DAY],
  // prettier-ignore
  http: ['domain', 'dialects', 'storage', 'channels', 'webhooks', 'security', 'sandbox', 'erasure', 'queues/jobs.ts', 'objects/stubs.ts', 'objects/live/protocol.ts', 'type objects', 'hono', '@hono', ...EVERY_DAY],
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
