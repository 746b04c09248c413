import { media, type Media } from '../../../domain/content.ts';
import type { DeliveryStatus } from '../../../domain/conversation/state.ts';
import { err, ok, type Result } from '../../../domain/result.ts';
import type { Millis } from '../../../domain/time.ts';
import type { ChannelAccount, HookContent, HookInbound, HookReceipt, HookRequest } from '../../contract.ts';
import { providerText } from '../../credentials.ts';
import { textOf } from '../../encoding.ts';
import { EMPTY_MESSAGE, receiptTarget, telAddress } from '../common.ts';
import { formSchema, type TwilioForm } from './wire.ts';

/** The Message resource's statuses (twilio.com/docs/messaging/api/message-resource). */
const STATUSES: Record<string, DeliveryStatus> = {
  accepted: 'sending',
  scheduled: 'sending',
  queued: 'sending',
  sending: 'sending',
  sent: 'sent',
  partially_delivered: 'sent',
  delivered: 'delivered',
  read: 'read',
  failed: 'failed',
  undelivered: 'failed',
  canceled: 'failed',
};

export function parse(request: HookRequest, account: ChannelAccount, now: Millis): Result<HookContent, string> {
  const params = new URLSearchParams(textOf(request.body));
  const { data: form } = formSchema.safeParse(Object.fromEntries(params));
  if (!form) return err('the form lacks AccountSid or MessageSid');
  if (form.AccountSid !== providerText(account, 'account_sid')) return err('AccountSid is not of this account');
  if (isReport(form)) return ok({ inbound: [], receipts: receipts(form, request.url) });
  if (form.From === '') return err('the form lacks From');
  return ok({ inbound: [inboundOf(form, mediasOf(params), now)], receipts: [] });
}

/** An inbound message also carries `SmsStatus`: it says `received`. */
function isReport(form: TwilioForm): boolean {
  const status = form.MessageStatus || form.SmsStatus;
  return status !== '' && status !== 'received' && status !== 'receiving';
}

/** A report on a message that was not sent by us (the number's own callback URL) names no delivery of ours and is ignored. */
function receipts(form: TwilioForm, url: string): HookReceipt[] {
  const target = receiptTarget(url);
  const reported = form.MessageStatus || form.SmsStatus;
  const status = Object.hasOwn(STATUSES, reported) ? STATUSES[reported] : undefined;
  if (!target || !status) return [];
  const error = { code: form.ErrorCode || reported, text: form.ErrorMessage || `Twilio reports ${reported}` };
  const news = { status, providerId: form.MessageSid, ...(status === 'failed' ? { error } : {}) };
  return [{ ...target, news }];
}

/** Twilio sends no time with a message: it is taken as of now. */
function inboundOf(form: TwilioForm, medias: Media[], now: Millis): HookInbound {
  const peer = telAddress(form.From);
  return {
    peer,
    dialogId: peer.target,
    occurredAt: now,
    item: {
      kind: 'message',
      dedupeKey: `twilio:${form.MessageSid}`,
      text: form.Body || (medias.length === 0 ? EMPTY_MESSAGE : ''),
      medias,
      senderId: peer.target,
      senderName: '',
      ...optOutOf(form.OptOutType),
      replyToken: null,
    },
  };
}

/** Set where the account uses Advanced Opt-Out; `HELP` changes nothing. */
function optOutOf(type: string): { optOut?: boolean } {
  if (type === 'STOP') return { optOut: true };
  return type === 'START' ? { optOut: false } : {};
}

/** The files can be read with the account's credentials only, so their URLs are no use to clients. */
function mediasOf(params: URLSearchParams): Media[] {
  const found: Media[] = [];
  for (let index = 0; params.get(`MediaUrl${index}`); index++) {
    const type = params.get(`MediaContentType${index}`) || 'application/octet-stream';
    found.push(media(type, { providerRef: params.get(`MediaUrl${index}`) ?? '' }));
  }
  return found;
}
