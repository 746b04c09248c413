import { convertV4MiniflareOptions, Miniflare } from 'miniflare';

const SCRIPT = `
import { DurableObject } from 'cloudflare:workers';
export class Floor extends DurableObject {
  constructor(ctx, env) { super(ctx, env); ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS log (sequence INTEGER PRIMARY KEY, text TEXT NOT NULL)'); }
  insert(text) { return this.ctx.storage.sql.exec('INSERT INTO log (text) VALUES (?) RETURNING sequence', text).one().sequence; }
}
export default {
  async fetch(request, env) {
    const { room, text } = await request.json();
    return Response.json({ sequence: await env.FLOOR.getByName(room).insert(text) });
  },
};`;

/** The least that a durable, ordered acknowledgement can cost on this runtime. */
export async function startFloor() {
  const runtime = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: SCRIPT,
      compatibilityDate: '2026-10-01',
      durableObjects: { FLOOR: { className: 'Floor', useSQLite: true } },
    }),
  );
  const url = await runtime.ready;
  const insert = async (client: number, count: number): Promise<void> => {
    const body = JSON.stringify({ room: `room ${client}`, text: `message ${count}` });
    const response = await fetch(url, { method: 'POST', body });
    await response.json();
  };
  return { insert, stop: () => runtime.dispose() };
}
