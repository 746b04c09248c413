import type { Message } from './state.ts';

/** What a mail of ours must say so that the contact's mail program puts it where it belongs. */
export interface MailThread {
  subject: string;
  inReplyTo: string | null;
  /** Oldest first, without the conversation's own first one. */
  references: string[];
}

/** As many as are looked at: older ones say nothing that the newer do not repeat. */
export const THREAD_MESSAGES = 50;

/** Answers go under the subject that the thread has, once "Re:" in front; a subject of one's own begins no new thread. */
export function threadOf(message: Message, earlier: Message[], addressName: string, name: string): MailThread {
  const to = message.deliveries.find((each) => each.addressName === addressName)?.target ?? '';
  const mails = earlier
    .filter((each) => each.sequence < message.sequence && isWith(each, addressName, to))
    .toReversed();
  const ids = mails.flatMap((each) => [...(each.mail?.references ?? []), ...idOf(each, addressName)]);
  const references = [...new Set(ids)];
  const known = mails.findLast(({ mail }) => mail && mail.subject !== '')?.mail?.subject ?? '';
  const subject = message.mail?.subject || (known === '' ? name : replyTo(known));
  return { subject, inReplyTo: mails.flatMap((each) => idOf(each, addressName)).at(-1) ?? null, references };
}

/** A mail of this one contact's, or ours to it: nobody is told what another one of the conversation wrote. */
const isWith = (message: Message, addressName: string, to: string): boolean =>
  message.direction === 'incoming'
    ? message.mail !== undefined && message.channel === 'email' && message.source.target === to
    : message.deliveries.some((each) => each.addressName === addressName && each.providerId !== '');

const idOf = ({ mail, direction, deliveries }: Message, addressName: string): string[] => {
  if (direction === 'incoming') return mail && mail.messageId !== '' ? [mail.messageId] : [];
  const sent = deliveries.find((each) => each.addressName === addressName && each.providerId !== '');
  return sent ? [sent.providerId] : [];
};

/** "Re:" as programs of several languages write it. */
const replyTo = (subject: string): string =>
  /^\s*(re|aw|sv|antw|回复|답장)\s*[:：]/i.test(subject) ? subject : `Re: ${subject}`;
