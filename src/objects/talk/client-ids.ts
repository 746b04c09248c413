import type { TalkStore } from './store.ts';
import type { TalkMessage } from '../../domain/talk/state.ts';

/** A client that resends what it lost does so soon: its message is among as many. */
const KEPT = 10_000;

type Named = Pick<TalkMessage, 'id' | 'ownerId' | 'clientId'>;

/**
 * Which message each agent's client_id stands for, among the talk's last ones. Held in memory and read from the messages once in each
 * life of the object: an index of its own would cost every message a page on the disk.
 */
export class ClientIds {
  readonly #store: TalkStore;
  #ids: Map<string, string> | null = null;

  constructor(store: TalkStore) {
    this.#store = store;
  }

  messageOf(agentId: string, clientId: string): string | null {
    if (clientId === '') return null;
    this.#ids ??= this.#load();
    return this.#ids.get(nameOf(agentId, clientId)) ?? null;
  }

  add({ id, ownerId, clientId }: Named): void {
    if (!this.#ids || ownerId === null || clientId === '') return;
    const name = nameOf(ownerId, clientId);
    this.#ids.delete(name);
    this.#ids.set(name, id);
    const oldest = this.#ids.size > KEPT ? this.#ids.keys().next().value : undefined;
    if (oldest !== undefined) this.#ids.delete(oldest);
  }

  #load(): Map<string, string> {
    const named = this.#store.clientIds(KEPT).toReversed();
    return new Map(named.map(({ id, ownerId, clientId }) => [nameOf(ownerId, clientId), id]));
  }
}

const nameOf = (agentId: string, clientId: string): string => `${agentId} ${clientId}`;
