import { listDurableObjectIds, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';

const TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'";

/** Everything stored that contains one of the words, as `D1 messages: word`. */
export async function leftoversOf(words: string[]): Promise<string[]> {
  const kept = [...(await inD1()), ...(await inObjects()), ...(await inR2())];
  const found = kept.flatMap(([location, text]) =>
    words.filter((word) => text.includes(word)).map((word) => `${location}: ${word}`),
  );
  return [...new Set(found)];
}

type StoredText = [location: string, text: string];

async function inD1(): Promise<StoredText[]> {
  const { results } = await env.DB.prepare(TABLES).all<{ name: string }>();
  const read = async ({ name }: { name: string }): Promise<StoredText> => {
    const rows = await env.DB.prepare(`SELECT * FROM "${name}"`).all();
    return [`D1 ${name}`, JSON.stringify(rows.results)];
  };
  return Promise.all(results.map(read));
}

async function inObjects(): Promise<StoredText[]> {
  const kinds: [string, DurableObjectNamespace<undefined>][] = [
    ['conversation', env.CONVERSATION],
    ['address', env.ADDRESS],
    ['directory', env.DIRECTORY],
  ];
  return (await Promise.all(kinds.map(([kind, namespace]) => inKind(kind, namespace)))).flat();
}

async function inKind(kind: string, namespace: DurableObjectNamespace<undefined>): Promise<StoredText[]> {
  const ids = await listDurableObjectIds(namespace);
  const kept = ids.map((id) =>
    runInDurableObject(namespace.get(id), (_, { storage }): StoredText[] => [
      ...storage.sql
        .exec<{ name: string }>(TABLES)
        .toArray()
        .map(({ name }): StoredText => {
          const rows = storage.sql.exec(`SELECT * FROM "${name}"`).toArray();
          return [`${kind} ${name}`, JSON.stringify(rows)];
        }),
      [`${kind} kv`, JSON.stringify([...storage.kv.list()])],
    ]),
  );
  return (await Promise.all(kept)).flat();
}

async function inR2(): Promise<StoredText[]> {
  const { objects } = await env.MEDIA.list();
  return Promise.all(
    objects.map(async ({ key }): Promise<StoredText> => [
      `R2 ${key}`,
      (await (await env.MEDIA.get(key))?.text()) ?? '',
    ]),
  );
}
