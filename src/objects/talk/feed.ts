import type { TalkRoom } from './room.ts';
import type { PublishedEvent, Publication } from '../feed-protocol.ts';
import type { FeedSource } from '../feed-sink.ts';
import { presentFrame } from '../../dialects/voipbin/events.ts';
import { fromLogRow } from '../../domain/talk/log-row.ts';
import type { TalkEvent } from '../../domain/talk/events.ts';

/** What the feed hears of a talk: participants all of it, a channel's events everybody who may listen to the customer. */
export class TalkFeed implements FeedSource {
  readonly #room: TalkRoom;

  constructor(room: TalkRoom) {
    this.#room = room;
  }

  head(): number {
    return this.#room.talk?.state.sequence ?? 0;
  }

  publication(cursor: number, limit: number): { publication: Publication; cursor: number } {
    const { talk, log, store } = this.#room;
    if (!talk) throw new Error('a talk that is not there has no events');
    const rows = log.after(cursor, limit);
    const events = rows.map((row) =>
      published(fromLogRow(row, row.messageId === null ? null : store.message(row.messageId))),
    );
    const { id, customerId, type } = talk.state;
    const agents = [...talk.participants.keys()];
    const publication = { customerId, resource: 'chat' as const, id, agents, isPrivate: type !== 'channel', events };
    return { publication, cursor: rows.at(-1)?.sequence ?? cursor };
  }
}

/** Who leaves is told of that, and of nothing after it. */
function published(event: TalkEvent): PublishedEvent {
  const frame = presentFrame(event);
  const also = event.type === 'talk.participant_left' && 'participant' in event ? [event.participant.agentId] : [];
  return { type: frame.type, text: JSON.stringify(frame), also };
}
