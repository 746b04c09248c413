import { createHash } from 'node:crypto';
import { DurableObject } from 'cloudflare:workers';
import { getAddress } from './stubs.ts';
import type { Millis } from '../domain/time.ts';

/** The result of a claim: the conversation that holds the addresses now (null: none, and none was offered), or those that already hold some. */
export type Claim = { conversationId: string | null } | { conflict: string[] };

interface Lease {
  holder: string;
  until: Millis;
}

const LEASE = 'lease';

/** Synchronous, unlike WebCrypto: between reading a claim and changing it nothing may be awaited. */
const hashed = (address: string): string => createHash('sha256').update(address).digest('base64url');

const listOf = (addresses: string[]): string => JSON.stringify(addresses.map(hashed));

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS claims (address TEXT PRIMARY KEY, conversation_id TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS pairs (name TEXT PRIMARY KEY, address TEXT NOT NULL, conversation_id TEXT NOT NULL) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS pairs_address ON pairs (address);
  CREATE TABLE IF NOT EXISTS talk_pairs (agents TEXT PRIMARY KEY, talk_id TEXT NOT NULL) WITHOUT ROWID;`;

/** Both ids in one order, so that the two find the same talk. */
const pairOf = (agents: [string, string]): string => agents.toSorted().join(' ');

/**
 * What there may be only one of for each customer: the open conversation that holds an address of a contact, and the 1:1 talk of two
 * agents. It is asked when a conversation or a talk begins or its participants change, never on the way of a message.
 *
 * It decides over several addresses at once, and does not know which conversations are over: the caller passes those that it has found
 * to be (`over`). No method awaits anything between reading a claim and changing it. Addresses are stored hashed: nobody has to read
 * them back, and an erasure leaves none in the pages that a database gives up.
 */
export class DirectoryObject extends DurableObject<Env> {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.storage.sql.exec(SCHEMA);
  }

  /** The conversation for a pair of addresses that has none, or whose last one is over. `address`: the contact's (addressText). */
  open(address: string, pair: string, candidate: string, over: string[]): string {
    const present = this.#one('SELECT conversation_id FROM pairs WHERE name = ?', pair);
    if (present !== null && !over.includes(present)) return present;
    const claimed = this.#one('SELECT conversation_id FROM claims WHERE address = ?', hashed(address));
    const chosen = claimed !== null && !over.includes(claimed) ? claimed : candidate;
    this.ctx.storage.sql.exec(
      'INSERT OR REPLACE INTO pairs (name, address, conversation_id) VALUES (?, ?, ?)',
      pair,
      hashed(address),
      chosen,
    );
    return chosen;
  }

  /** The conversations that hold any of these addresses, over or not. */
  holders(addresses: string[]): string[] {
    const list = listOf(addresses);
    const query = `SELECT conversation_id FROM claims WHERE address IN (SELECT value FROM json_each(?1))
      UNION SELECT conversation_id FROM pairs WHERE address IN (SELECT value FROM json_each(?1))`;
    const rows = this.ctx.storage.sql.exec<{ conversation_id: string }>(query, list).toArray();
    return rows.map((row) => row.conversation_id);
  }

  /** Claims all of the addresses, or none: for the conversation that holds some of them already, else for `candidate` (null: for no other). */
  claim(addresses: string[], candidate: string | null, over: string[]): Claim {
    const open = this.holders(addresses).filter((id) => !over.includes(id));
    if (open.length > 1) return { conflict: open };
    const chosen = open[0] ?? candidate;
    return chosen === null ? { conversationId: null } : this.#take(addresses, chosen, over);
  }

  /** The same for an existing conversation: an address of another one is a conflict. */
  claimFor(conversationId: string, addresses: string[], over: string[]): Claim {
    const others = this.holders(addresses).filter((id) => id !== conversationId && !over.includes(id));
    return others.length > 0 ? { conflict: others } : this.#take(addresses, conversationId, over);
  }

  /** After an erasure: drops the claims of these conversations, and of these addresses. */
  forget(conversationIds: string[], addresses: string[]): void {
    const [ids, list] = [JSON.stringify(conversationIds), listOf(addresses)];
    for (const table of ['claims', 'pairs']) {
      const query = `DELETE FROM ${table} WHERE conversation_id IN (SELECT value FROM json_each(?1))
        OR address IN (SELECT value FROM json_each(?2))`;
      this.ctx.storage.sql.exec(query, ids, list);
    }
  }

  /** Moves the claims of one conversation to another one: those of these addresses (null: all). */
  move(from: string, into: string, addresses: string[] | null): void {
    const list = addresses === null ? 'null' : listOf(addresses);
    for (const table of ['claims', 'pairs']) {
      const query = `UPDATE ${table} SET conversation_id = ?2 WHERE conversation_id = ?1
        AND (?3 = 'null' OR address IN (SELECT value FROM json_each(?3)))`;
      this.ctx.storage.sql.exec(query, from, into, list);
    }
  }

  /** Drops the conversation's claims of these addresses. */
  release(addresses: string[], conversationId: string): void {
    const list = listOf(addresses);
    for (const table of ['claims', 'pairs']) {
      const query = `DELETE FROM ${table} WHERE conversation_id = ?1 AND address IN (SELECT value FROM json_each(?2))`;
      this.ctx.storage.sql.exec(query, conversationId, list);
    }
  }

  /** The 1:1 talk of two agents: the one that they have, or `candidate`. Of any number of candidates at once, one is chosen. */
  async claimTalk(customerId: string, agents: [string, string], candidate: string): Promise<string> {
    const present = this.#talkOf(agents);
    if (present !== null) return present;
    const earlier = await talkClaimedBefore(this.env, customerId, agents);
    const query = 'INSERT OR IGNORE INTO talk_pairs (agents, talk_id) VALUES (?, ?)';
    this.ctx.storage.sql.exec(query, pairOf(agents), earlier ?? candidate);
    return this.#talkOf(agents) ?? candidate;
  }

  /** The pair cannot have `lost` any more: `candidate` takes its place, or what somebody faster has put there. @returns their talk. */
  replaceTalk(agents: [string, string], lost: string, candidate: string): string {
    const query = 'UPDATE talk_pairs SET talk_id = ? WHERE agents = ? AND talk_id = ?';
    this.ctx.storage.sql.exec(query, candidate, pairOf(agents), lost);
    return this.#talkOf(agents) ?? candidate;
  }

  /** The customer's lock for mergers and moves of conversations (app/contacts/lock.ts). False while another holder has it. It ends after `ms` where its holder has died. */
  lease(holder: string, ms: Millis): boolean {
    const present = this.ctx.storage.kv.get<Lease>(LEASE);
    if (present && present.holder !== holder && present.until > Date.now()) return false;
    this.ctx.storage.kv.put<Lease>(LEASE, { holder, until: Date.now() + ms });
    return true;
  }

  endLease(holder: string): void {
    if (this.ctx.storage.kv.get<Lease>(LEASE)?.holder === holder) this.ctx.storage.kv.delete(LEASE);
  }

  #take(addresses: string[], conversationId: string, over: string[]): Claim {
    this.ctx.storage.transactionSync(() => {
      for (const id of over) this.release(addresses, id);
      for (const address of addresses) {
        const query = 'INSERT OR REPLACE INTO claims (address, conversation_id) VALUES (?, ?)';
        this.ctx.storage.sql.exec(query, hashed(address), conversationId);
      }
    });
    return { conversationId };
  }

  #talkOf(agents: [string, string]): string | null {
    const query = 'SELECT talk_id FROM talk_pairs WHERE agents = ?';
    return this.ctx.storage.sql.exec<{ talk_id: string }>(query, pairOf(agents)).toArray()[0]?.talk_id ?? null;
  }

  #one(query: string, ...bindings: string[]): string | null {
    const row = this.ctx.storage.sql.exec<{ conversation_id: string }>(query, ...bindings).toArray()[0];
    return row?.conversation_id ?? null;
  }
}

/** The release aa301288 kept the pairs of 1:1 talks in AddressObjects, as if they were addresses of a channel `talk`. */
async function talkClaimedBefore(env: Env, customerId: string, agents: [string, string]): Promise<string | null> {
  const [ours = '', theirs = ''] = agents.toSorted();
  const claims = await getAddress(env, { customerId, channel: 'talk', ours, theirs });
  return (await claims.lookup())?.conversationId ?? null;
}
