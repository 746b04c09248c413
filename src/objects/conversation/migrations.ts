import { upgradeStoredState } from '../../domain/conversation/identity/stored-state.ts';
import { upgradeLogRow } from '../../domain/conversation/events.ts';
import { readOwnJson } from '../../domain/events.ts';
import { KEYS_SQL, LOG_SQL, LogStore } from '../runtime/log-store.ts';
import type { ObjectMigration } from '../runtime/migrations.ts';

export const MIGRATIONS: readonly ObjectMigration[] = [
  {
    id: '0001-conversation',
    run: `${LOG_SQL}
      CREATE TABLE record (id INTEGER PRIMARY KEY CHECK (id = 1), data TEXT NOT NULL);
      CREATE TABLE messages (sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL, deleted INTEGER NOT NULL, data TEXT NOT NULL);
      CREATE TABLE deliveries (id TEXT PRIMARY KEY, message_id TEXT NOT NULL) WITHOUT ROWID;
      ${KEYS_SQL}
      CREATE TABLE sends (delivery_id TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID;`,
  },
  // Which events of the log changed a mode or an owner: their histories are read from there.
  {
    id: '0002-changes',
    run: 'CREATE TABLE changes (sequence INTEGER PRIMARY KEY, at INTEGER NOT NULL, of_mode INTEGER NOT NULL, of_owner INTEGER NOT NULL);',
  },
  // What may be tried when a delivery fails for good (domain/conversation/delivery/fallback.ts).
  {
    id: '0003-spares',
    run: 'CREATE TABLE spares (delivery_id TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID;',
  },
  // The names and shapes of the release after aa301288.
  { id: '0004-plain-names', run: upgradeFromFirstRelease },
];

type Json = Record<string, unknown>;

function upgradeFromFirstRelease({ sql, kv }: DurableObjectStorage): void {
  sql.exec('ALTER TABLE spares RENAME TO fallback_options');
  for (const { delivery_id, data } of sql.exec<Row>('SELECT delivery_id, data FROM fallback_options').toArray()) {
    const options = readOwnJson<Json[]>(data).map(upgradeOption);
    sql.exec('UPDATE fallback_options SET data = ? WHERE delivery_id = ?', JSON.stringify(options), delivery_id);
  }
  for (const { data } of sql.exec<{ data: string }>('SELECT data FROM record').toArray())
    sql.exec('UPDATE record SET data = ?', JSON.stringify(upgradeRecord(readOwnJson<FirstRecord>(data))));
  upgradeLog(new LogStore(sql));
  const unfinished = kv.get<string>('taken-out');
  if (unfinished === undefined) return;
  kv.put('unfinished-erasure', unfinished);
  kv.delete('taken-out');
}

type Row = { delivery_id: string; data: string };

/** A long log does not fit into memory at once. */
const PAGE = 200;

function upgradeLog(log: LogStore): void {
  for (let page = log.after(0, PAGE); page.length > 0; page = log.after(page.at(-1)?.sequence ?? 0, PAGE)) {
    for (const row of page) {
      const upgraded = upgradeLogRow(row);
      if (upgraded.facts !== row.facts) log.replace(upgraded);
    }
  }
}

const upgradeOption = ({ link, ...option }: Json) => ({ binding: link, ...option });

interface FirstRecord {
  conversation: unknown;
  consents: Record<string, { at: number; untold: unknown }>;
  horizons: Json;
  pending: Json & { unseen: unknown };
  quietUntil?: number;
  forgotten?: string[];
}

function upgradeRecord(record: FirstRecord): Json {
  const { conversation, consents, horizons, pending, quietUntil, forgotten, ...same } = record;
  const { unseen, ...stillPending } = pending;
  const known = Object.entries(consents).map(([name, { at, untold }]) => [name, { at, unpublished: untold }]);
  return {
    ...same,
    conversation: upgradeStoredState(conversation, forgotten),
    consents: Object.fromEntries(known),
    watermarks: horizons,
    pending: { ...stillPending, pendingFallbacks: unseen },
    announcedUntil: quietUntil ?? 0,
  };
}
