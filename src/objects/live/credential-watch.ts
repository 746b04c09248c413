import { inTime } from '../runtime/drains.ts';
import { CLOSE_UNAUTHORIZED, type Reader } from './protocol.ts';
import { SECOND, type Millis } from '../../domain/time.ts';

/**
 * Spec section 2: what is revoked takes effect within 5 s. So a credential is checked again after CHECK_MS, while frames go out, and
 * frames wait for the check after HOLD_MS. A socket that is opened was checked by the directory's cache, which may be 3 s old.
 */
const CHECK_MS = SECOND;
const HOLD_MS = 4 * SECOND;
const ENTRY_MS = 2 * SECOND;
const ANSWER_MS = 3 * SECOND;

/** When the credential of a socket that is just being opened counts as checked. */
export const checkedOnEntry = (): Millis => Date.now() - ENTRY_MS;

/** One socket's credential. */
export interface Held {
  reader: Reader;
  /** When it was last found good. */
  checkedAt: Millis;
}

interface Watched {
  held(): Iterable<[WebSocket, Held]>;
  /** Those whose credential is no longer valid. */
  revoked(readers: Reader[]): Promise<Set<Reader>>;
  cut(socket: WebSocket, code: number, reason: string): void;
  /** After each check: what was held back may go. */
  checked(): void;
}

/** The credentials behind the sockets of one object: checked together, while frames go out, and not while nothing does. */
export class CredentialWatch {
  readonly #ctx: DurableObjectState;
  readonly #watched: Watched;
  #checking: Promise<void> | null = null;

  constructor(ctx: DurableObjectState, watched: Watched) {
    this.#ctx = ctx;
    this.#watched = watched;
  }

  /** Whether frames may go to this socket now. Where the last check is old, another one begins. */
  isFresh({ checkedAt }: Held): boolean {
    const age = Date.now() - checkedAt;
    if (age >= CHECK_MS) this.#ctx.waitUntil(this.check());
    return age < HOLD_MS;
  }

  /** One query for all sockets; calls in the meantime wait for the same answer. */
  check(): Promise<void> {
    this.#checking ??= this.#checkAll().finally(() => {
      this.#checking = null;
    });
    return this.#checking;
  }

  async #checkAll(): Promise<void> {
    const asked = [...this.#watched.held()];
    const askedAt = Date.now();
    // While D1 does not answer, nothing can be revoked there either.
    const answer = inTime(this.#watched.revoked(asked.map(([, { reader }]) => reader)), ANSWER_MS);
    const revoked = await answer.catch(() => new Set<Reader>());
    for (const [socket, held] of asked) {
      if (revoked.has(held.reader)) this.#watched.cut(socket, CLOSE_UNAUTHORIZED, 'the credential is no longer valid');
      else held.checkedAt = askedAt;
    }
    this.#watched.checked();
  }
}
