/** Replaces `cloudflare:email` in tests that run outside workerd. */
export class EmailMessage {
  constructor() {
    throw new Error('no mail is sent here');
  }
}
