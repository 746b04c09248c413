/** Stands for `cloudflare:email` where there is no workerd. */
export class EmailMessage {
  constructor() {
    throw new Error('no mail is sent here');
  }
}
