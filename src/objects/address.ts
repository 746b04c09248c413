import { DurableObject } from 'cloudflare:workers';
import type { Consent } from '../domain/conversation/consent.ts';
import { addressText } from '../domain/conversation/identity/participants.ts';
import type { ContactAddress } from '../domain/conversation/state.ts';
import type { ServiceWindow } from '../domain/conversation/delivery/service-window.ts';
import { readOwnJson } from '../domain/events.ts';
import { DAY, type Millis } from '../domain/time.ts';

/** Which conversation a pair of addresses belongs to, and what it begins with. */
export interface AddressClaim {
  conversationId: string;
  /** The conversations before this one, the last one first, while a provider may still redeliver what they have already. */
  predecessors: string[];
  /** The contact asked us to stop (spec section 9): a new conversation begins so. */
  optOut: boolean;
  /** What the previous conversation left of the time for free text, which belongs to the contact and not to a conversation. */
  window: ServiceWindow | null;
}

interface Stored {
  /** Null while nobody has written here: only an alias is known. */
  current: string | null;
  /** Another id of the contact, of which this one is the canonical id. */
  alias?: string;
  /** The name of the alias's own AddressObject. */
  aliasName?: string;
  /** The canonical id, where this one is only an alias of it. */
  follows?: string;
  consent?: Consent;
  /** Of a visitor of the web chat: what it has proved to be. */
  proofs?: Proofs;
  window?: ServiceWindow | null;
  predecessor: Predecessor | null;
  /** Those before `predecessor`, the last one first. */
  earlier?: Predecessor[];
}

interface Predecessor {
  id: string;
  until: Millis;
}

/** Who a visitor has proved to be: by a token of the customer's site, or by a mailed link. */
export interface Proofs {
  /** The name that the site gave it, or empty. */
  name: string;
  addresses: ContactAddress[];
}

/** What an alias leaves to its canonical id. */
export interface Inheritance {
  current: string | null;
  consent: Consent | null;
}

const NOTHING: Stored = { current: null, predecessor: null };
const NO_PROOFS: Proofs = { name: '', addresses: [] };

/** Longer than any provider redelivers. */
const PREDECESSOR_MS = 7 * DAY;

/** Each of them is asked about every message that comes in; a contact seldom ends more conversations in a week. */
const MOST_PREDECESSORS = 5;

/**
 * The one place that decides which conversation a pair of addresses belongs to (invariant 2).
 * No method awaits anything: of any number of first messages at once, one makes the conversation.
 */
export class AddressObject extends DurableObject<Env> {
  /** The conversation that answers now; null when there is none yet. */
  lookup(): AddressClaim | null {
    const stored = this.#read();
    return stored?.current ? this.resolve(stored.current) : null;
  }

  /** The conversation that answers now; `candidate` when there is none yet. */
  resolve(candidate: string): AddressClaim {
    const stored = this.#read() ?? NOTHING;
    if (stored.current === null) this.#write({ ...stored, current: candidate });
    const { consent, window = null } = stored;
    const predecessors = freshOf(stored).map(({ id }) => id);
    const conversationId = stored.current ?? candidate;
    return { conversationId, predecessors, optOut: consent?.optOut ?? false, window };
  }

  /** Replaces `expected`, which is over and leaves `window`, by `candidate`; when somebody else was faster, their conversation stays. */
  advance(expected: string, candidate: string, window: ServiceWindow | null = null): AddressClaim {
    const stored = this.#read();
    if (stored?.current === expected) {
      const predecessor = { id: expected, until: Date.now() + PREDECESSOR_MS };
      const earlier = freshOf(stored).slice(0, MOST_PREDECESSORS - 1);
      this.#write({ ...stored, current: candidate, predecessor, earlier, window });
    }
    return this.resolve(candidate);
  }

  /**
   * The contact's latest word counts, from whichever of its conversations it comes: a provider's refusal may reach the previous one.
   * @returns the conversations that must know it too: the one that answers now, and the previous one, which may still send.
   */
  noteConsent(consent: Consent): { current: string | null; predecessor: string | null } {
    const stored = this.#read();
    if (!stored || consent.at < (stored.consent?.at ?? 0)) return { current: null, predecessor: null };
    this.#write({ ...stored, consent });
    return { current: stored.current, predecessor: stored.predecessor?.id ?? null };
  }

  proofs(): Proofs {
    return this.#read()?.proofs ?? NO_PROOFS;
  }

  /** Kept as long as the visitor is known, beyond the end of its conversations. @returns all of its proofs. */
  prove({ name, addresses }: Proofs): Proofs {
    const stored = this.#read() ?? NOTHING;
    const known = stored.proofs ?? NO_PROOFS;
    const fresh = addresses.filter((one) => !known.addresses.some((other) => addressText(one) === addressText(other)));
    const proofs = { name: name || known.name, addresses: [...known.addresses, ...fresh] };
    this.#write({ ...stored, proofs });
    return proofs;
  }

  /** Also where no conversation answers at present. */
  hasOptedOut(): boolean {
    return this.#read()?.consent?.optOut ?? false;
  }

  /**
   * Keeps nothing of the contact but its opt-out, and the conversation that recognises redeliveries (objects/conversation/erase.ts).
   * `erased`: the conversations that it was erased from. @returns the name of its alias's object, which must forget it too.
   */
  forget(erased: string[]): string | null {
    const stored = this.#read();
    if (!stored) return null;
    const { current, predecessor, consent } = stored;
    const last =
      current !== null && erased.includes(current) ? { id: current, until: Date.now() + PREDECESSOR_MS } : predecessor;
    const kept = consent?.optOut ? { consent } : {};
    const stays = current !== null && !erased.includes(current) ? current : null;
    this.#write({ current: stays, predecessor: last, ...kept });
    return stored.aliasName ?? null;
  }

  knowsAlias(alias: string): boolean {
    return this.#read()?.alias === alias;
  }

  /** The canonical id of the contact, where this one is an alias; null otherwise. */
  canonical(): string | null {
    return this.#read()?.follows ?? null;
  }

  /** Makes this id an alias of `target`. @returns what it leaves to that one. */
  aliasTo(target: string): Inheritance {
    const stored = this.#write({ ...(this.#read() ?? NOTHING), follows: target });
    return { current: stored.current, consent: stored.consent ?? null };
  }

  /** What was known under the alias counts here, unless something newer does. */
  absorbAlias(alias: string, aliasName: string, { current, consent }: Inheritance): void {
    const stored = this.#read() ?? NOTHING;
    const isNewer = consent !== null && consent.at > (stored.consent?.at ?? 0);
    this.#write({ ...stored, alias, aliasName, current: stored.current ?? current, ...(isNewer ? { consent } : {}) });
  }

  #read(): Stored | null {
    const text = this.ctx.storage.kv.get<string>('claim');
    return text === undefined ? null : readOwnJson<Stored>(text);
  }

  #write(stored: Stored): Stored {
    this.ctx.storage.kv.put('claim', JSON.stringify(stored));
    return stored;
  }
}

const freshOf = ({ predecessor, earlier = [] }: Stored): Predecessor[] =>
  [...(predecessor ? [predecessor] : []), ...earlier].filter(({ until }) => until > Date.now());
