import type { TalkAggregate } from './aggregate.ts';
import type { Publication } from '../live/feed-protocol.ts';
import type { FeedSource } from '../projection/feed-sink.ts';

/** What the feed hears of a talk: participants all of it, a channel's events everybody who may listen to the customer. */
export class TalkFeed implements FeedSource {
  readonly #aggregate: TalkAggregate;

  constructor(aggregate: TalkAggregate) {
    this.#aggregate = aggregate;
  }

  head(): number {
    return this.#aggregate.talk?.state.sequence ?? 0;
  }

  customerId(): string {
    return this.#aggregate.talk?.state.customerId ?? '';
  }

  publication(cursor: number, limit: number): { publication: Publication; cursor: number } {
    const { talk } = this.#aggregate;
    if (!talk) throw new Error('a talk that is not there has no events');
    const events = this.#aggregate.framesAfter(cursor, limit);
    const { id, customerId, type } = talk.state;
    const agents = [...talk.participants.keys()];
    const publication = { customerId, resource: 'chat' as const, id, agents, isPrivate: type !== 'channel', events };
    return { publication, cursor: events.at(-1)?.sequence ?? cursor };
  }

  /** Who is concerned follows from the talk as it is. */
  passed(): void {}
}
