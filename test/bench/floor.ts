import { convertV4MiniflareOptions, Miniflare } from 'miniflare';

/** What the hub's frame has beside the sequence and what the client said. */
const REST_CHARACTERS = 456;

/** A room's frame is as long as the hub's for the same message, and has what the clients look at in the same place. */
const SCRIPT = `
import { DurableObject } from 'cloudflare:workers';
const REST = '","rest":"${'.'.repeat(REST_CHARACTERS)}"}}]';
export class Floor extends DurableObject {
  constructor(ctx, env) { super(ctx, env); ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS log (sequence INTEGER PRIMARY KEY, text TEXT NOT NULL)'); }
  insert(text) { return this.ctx.storage.sql.exec('INSERT INTO log (text) VALUES (?) RETURNING sequence', text).one().sequence; }
  fetch() {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }
  webSocketMessage(_socket, text) {
    const frame = '[{"type":"message_created","sequence":' + this.insert(text) + ',"data":' + text.slice(0, -2) + REST;
    for (const socket of this.ctx.getWebSockets()) socket.send(frame);
  }
}
export default {
  async fetch(request, env) {
    if (request.headers.has('upgrade')) return env.FLOOR.getByName(request.url).fetch(request);
    const { room, text } = await request.json();
    return Response.json({ sequence: await env.FLOOR.getByName(room).insert(text) });
  },
};`;

/** The least that a durable, ordered acknowledgement can cost on this runtime, and the least that telling a room of it can. */
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
  return { url, insert, stop: () => runtime.dispose() };
}
