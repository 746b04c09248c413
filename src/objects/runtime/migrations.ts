/** One step of an object's schema. The list is append-only: a step that has run anywhere is never edited. */
export interface ObjectMigration {
  id: string;
  /** Statements, or code for what statements cannot do. It runs inside the transaction and must not await anything. */
  run: string | ((storage: DurableObjectStorage) => void);
}

/** True once the object has ever stored something. Asking writes nothing, so that a made-up id leaves no trace. */
export const isMigrated = (sql: SqlStorage): boolean =>
  sql.exec(`SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'object_migrations'`).toArray().length > 0;

/** Runs what has not run yet, in order and in one transaction. */
export function migrate(storage: DurableObjectStorage, migrations: readonly ObjectMigration[]): void {
  storage.transactionSync(() => {
    storage.sql.exec('CREATE TABLE IF NOT EXISTS object_migrations (id TEXT PRIMARY KEY) WITHOUT ROWID');
    const done = new Set(
      storage.sql
        .exec<{ id: string }>('SELECT id FROM object_migrations')
        .toArray()
        .map((row) => row.id),
    );
    for (const { id, run } of migrations.filter((each) => !done.has(each.id))) {
      if (typeof run === 'string') storage.sql.exec(run);
      else run(storage);
      storage.sql.exec('INSERT INTO object_migrations (id) VALUES (?)', id);
    }
  });
}
