import { z } from 'zod';

/**
 * Live sockets, as clients and the Worker's SSE bridge speak them.
 *
 * A socket has a cursor into the log and no queue: what it gets is always "the log after the cursor", so history and live are one
 * thing and nothing falls between them. The runtime buffers without bound for a reader that does not read (workerd#988), so a
 * client acknowledges (`{"type":"ack","sequence":N}`); past its window of unacknowledged events the object waits for it,
 * and after STALL_MS it closes with 4008. The client comes back with `?after=`.
 */
export const WINDOW = 1000;

/** What all readers of an object together may have unacknowledged, should all of them lag at once: an isolate has 128 MB. */
const BUDGET_BYTES = 128 * 1024 * 1024;
const WIDEST_BYTES = 2 * 1024 * 1024;
/** Room for the longest event there is. */
const NARROWEST_BYTES = 128 * 1024;

/** What one of this many readers may have unacknowledged, beside WINDOW. Bytes. */
export const windowBytes = (readers: number): number =>
  Math.min(Math.max(BUDGET_BYTES / Math.max(readers, 1), NARROWEST_BYTES), WIDEST_BYTES);

export const STALL_MS = 30_000;
export const CLOSE_SLOW = 4008;
export const CLOSE_UNAUTHORIZED = 4001;
export const CLOSE_TOO_BIG = 1009;
/** The socket was accepted by another version of Parley: its client reconnects, as after every deploy. */
export const CLOSE_RESTART = 1012;
export const MAX_FRAME_BYTES = 64 * 1024;

/** Set by the Worker on the upgrade request it passes on; a client's own header of that name is dropped. */
export const SESSION_HEADER = 'x-parley-session';

/** Who reads, checked again while the socket lives. */
export const readerSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('agent'),
    customerId: z.string(),
    agentId: z.string(),
    version: z.number(),
    permission: z.number(),
  }),
  z.object({ kind: z.literal('accesskey'), customerId: z.string(), keyId: z.string() }),
  /** Of the web chat; `target` is its address there, `addressName` names its AddressObject. */
  z.object({
    kind: z.literal('visitor'),
    customerId: z.string(),
    accountId: z.string(),
    target: z.string(),
    addressName: z.string(),
  }),
]);

export type Reader = z.infer<typeof readerSchema>;

/** The form in which a reader gets the log's events; a visitor's follows from who it is. */
const dialect = z.enum(['voipbin', 'voicebip']).default('voipbin');

/** What the Worker passes on of an upgrade: who reads, and after which sequence. `after` null begins at the head. */
export const sessionRequestSchema = z.object({
  reader: readerSchema,
  after: z.number().int().nonnegative().nullable(),
  /** `?batch=1`: every frame is an array, and events that come together share one. */
  batch: z.boolean(),
  dialect,
});

/** The request as the Worker writes it. */
export type NewSession = z.input<typeof sessionRequestSchema>;

export type SessionRequest = z.infer<typeof sessionRequestSchema>;

/**
 * What outlives an eviction, in the socket's attachment. `behind` null: the socket is live, it has the whole log
 * (an object that was away cannot have appended). Written only when that changes, not on every event.
 */
export const attachmentSchema = z.object({
  v: z.literal(2),
  reader: readerSchema,
  batch: z.boolean(),
  dialect,
  behind: z.object({ cursor: z.number().int(), acked: z.number().int(), stalledAt: z.number().nullable() }).nullable(),
});

export type Attachment = z.infer<typeof attachmentSchema>;

/** The frame that every object takes; an object may take more (`SessionHost.command`). */
export const ackFrameSchema = z.object({ type: z.literal('ack'), sequence: z.number().int().nonnegative() });

export const caughtUpFrame = (sequence: number) => ({ type: 'caught_up', sequence });

/** The cursor is beyond this log: the client drops what it has, reads the resource again and continues after `sequence`. */
export const resyncFrame = (sequence: number) => ({ type: 'resync', sequence });

export const errorFrame = (message: string) => ({ type: 'error', error: { reason: 'INVALID_ARGUMENT', message } });
