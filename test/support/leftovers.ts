import { listDurableObjectIds, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';

const TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'";

/** Where any of the words stands in what is stored: `D1 messages: word`. */
export async function leftoversOf(words: string[]): Promise<string[]> {
  const kept = [...(await inD1()), ...(await inObjects()), ...(await inR2())];
  const found = kept.flatMap(([sequenceEvents, text]) =>
    words.filter((word) => text.includes(word)).map((word) => `${sequenceEvents}: ${word}`),
  );
  return [...new Set(found)];
}

type Kept = [sequenceEvents: string, text: string];

async function inD1(): Promise<Kept[]> {
  const { results } = await env.DB.prepare(TABLES).all<{ name: string }>();
  const read = async ({ name }: { name: string }): Promise<Kept> => {
    const rows = await env.DB.prepare(`SELECT * FROM "${name}"`).all();
    return [`D1 ${name}`, JSON.stringify(rows.results)];
  };
  return Promise.all(results.map(read));
}

async function inObjects(): Promise<Kept[]> {
  const kinds: [string, DurableObjectNamespace<undefined>][] = [
    ['conversation', env.CONVERSATION],
    ['address', env.ADDRESS],
    ['directory', env.DIRECTORY],
  ];
  return (await Promise.all(kinds.map(([kind, namespace]) => inKind(kind, namespace)))).flat();
}

async function inKind(kind: string, namespace: DurableObjectNamespace<undefined>): Promise<Kept[]> {
  const ids = await listDurableObjectIds(namespace);
  const kept = ids.map((id) =>
    runInDurableObject(namespace.get(id), (_, { storage }): Kept[] => [
      ...storage.sql
        .exec<{ name: string }>(TABLES)
        .toArray()
        .map(({ name }): Kept => {
          const rows = storage.sql.exec(`SELECT * FROM "${name}"`).toArray();
          return [`${kind} ${name}`, JSON.stringify(rows)];
        }),
      [`${kind} kv`, JSON.stringify([...storage.kv.list()])],
    ]),
  );
  return (await Promise.all(kept)).flat();
}

async function inR2(): Promise<Kept[]> {
  const { objects } = await env.MEDIA.list();
  return Promise.all(
    objects.map(async ({ key }): Promise<Kept> => [`R2 ${key}`, (await (await env.MEDIA.get(key))?.text()) ?? '']),
  );
}
