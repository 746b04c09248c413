import { media } from '../../../domain/content.ts';
import type { ProviderError, DeliveryStatus } from '../../../domain/conversation/state.ts';

import { err, ok, type Result } from '../../../domain/result.ts';
import type { Millis } from '../../../domain/time.ts';
import type { ChannelAccount, HookContent, HookInbound, HookReceipt, HookRequest } from '../../contract.ts';
import { parseJson, textOf, webUrl } from '../../encoding.ts';
import { EMPTY_MESSAGE, receiptTarget, telAddress } from '../common.ts';
import { eventSchema, receivedSchema, reportSchema, type TelnyxError, type TelnyxReceived } from './wire.ts';

/** `to[].status`. An unconfirmed delivery is one that the carrier does not report on: it was sent, and no more is known. */
const STATUSES: Record<string, DeliveryStatus> = {
  queued: 'sending',
  sending: 'sending',
  sent: 'sent',
  delivery_unconfirmed: 'sent',
  delivered: 'delivered',
  sending_failed: 'failed',
  delivery_failed: 'failed',
  expired: 'failed',
};

/** Telnyx tells much more (numbers, calls, …) to the same URL when its owner configures it so: that is not ours. */
export function parse(request: HookRequest, _account: ChannelAccount, now: Millis): Result<HookContent, string> {
  const event = eventSchema.safeParse(parseJson(textOf(request.body))).data?.data;
  if (!event) return err('the body is not a Telnyx event');
  switch (event.event_type) {
    case 'message.received':
      return received(event.payload, Date.parse(event.occurred_at) || now);
    case 'message.sent':
    case 'message.finalized':
      return reported(event.payload, request.url);
    default:
      return ok({ inbound: [], receipts: [] });
  }
}

function received(payload: unknown, occurredAt: Millis): Result<HookContent, string> {
  const { data } = receivedSchema.safeParse(payload);
  if (!data) return err('the payload of message.received lacks id or from');
  return ok({ inbound: [inboundOf(data, occurredAt)], receipts: [] });
}

function inboundOf(payload: TelnyxReceived, occurredAt: Millis): HookInbound {
  const peer = telAddress(payload.from.phone_number);
  const medias = payload.media.map((file) =>
    media(file.content_type || 'application/octet-stream', { url: webUrl(file.url) }),
  );
  return {
    peer,
    dialogId: peer.target,
    occurredAt,
    item: {
      kind: 'message',
      dedupeKey: `telnyx:${payload.id}`,
      text: payload.text || (medias.length === 0 ? EMPTY_MESSAGE : ''),
      medias,
      senderId: peer.target,
      senderName: '',
      replyToken: null,
    },
  };
}

function reported(payload: unknown, url: string): Result<HookContent, string> {
  const { data } = reportSchema.safeParse(payload);
  if (!data) return err('the payload of the report lacks id or to');
  const reportedStatus = data.to[0]?.status ?? '';
  return ok({ inbound: [], receipts: receipts(data.id, reportedStatus, data.errors[0], url) });
}

function receipts(providerId: string, reported: string, error: TelnyxError | undefined, url: string): HookReceipt[] {
  const target = receiptTarget(url);
  const status = Object.hasOwn(STATUSES, reported) ? STATUSES[reported] : undefined;
  if (!target || !status) return [];
  const failure = status === 'failed' ? { error: errorOf(error, reported) } : {};
  return [{ ...target, news: { status, providerId, ...failure } }];
}

const errorOf = (error: TelnyxError | undefined, reported: string): ProviderError => ({
  code: `${error?.code ?? ''}` || reported,
  text: error?.detail || error?.title || `Telnyx reports ${reported}`,
});
