import type { Publication } from '../live/feed-protocol.ts';
import { paced } from '../runtime/drains.ts';
import { getFeed } from '../stubs.ts';
import { errorName, log } from '../../log.ts';

/** Events that come within this time of each other go to the feed in one call. Milliseconds. */
const GAP_MS = 25;
/** Of a publication: a call takes 32 MB, and an event weighs 130 KB at most. */
const PAGE = 50;

/** What an object publishes of its log. */
export interface FeedSource {
  /** Of a log that has events. */
  customerId(): string;
  head(): number;
  /** The events after the cursor, at most `limit`, in one publication. It may be asked for again, until `passed`. */
  publication(cursor: number, limit: number): { publication: Publication; cursor: number };
  /** The last publication is done: it was delivered, or nobody listened. */
  passed(): void;
}

/** The drain towards the customer's FeedObject. Its cursor lives in memory: a feed is live, and what it misses is read elsewhere. */
export class FeedSink {
  readonly #env: Env;
  readonly #source: FeedSource;
  #cursor = 0;
  /** After a commit; never throws, and nobody waits for it. */
  readonly drain = paced(() => this.#drain(), GAP_MS);

  constructor(env: Env, source: FeedSource) {
    this.#env = env;
    this.#source = source;
  }

  /** Called before the first commit of this life of the object: what is older has been published, or is no news any more. */
  wake(): void {
    this.#cursor = this.#source.head();
  }

  /** What is appended in the meantime goes with the next drain. */
  async #drain(): Promise<void> {
    const head = this.#source.head();
    try {
      const isHeard = this.#cursor < head && (await this.#isHeard());
      while (this.#cursor < head) await this.#pass(isHeard);
    } catch (error) {
      log('warn', 'feed is behind', { error: errorName(error) });
    }
  }

  /** Mostly nobody listens, and then this question is all that it costs. */
  #isHeard(): Promise<boolean> {
    return Promise.resolve(getFeed(this.#env, this.#source.customerId()).isHeard());
  }

  async #pass(isHeard: boolean): Promise<void> {
    const { publication, cursor } = this.#source.publication(this.#cursor, PAGE);
    if (isHeard) await getFeed(this.#env, publication.customerId).publish(publication);
    this.#source.passed();
    this.#cursor = cursor;
  }
}
