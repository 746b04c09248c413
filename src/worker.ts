import { receiveMail } from './app/conversations/receive-mail.ts';
import { createApp } from './http/app.ts';
import { consumeQueue } from './queues/consumer.ts';
import { sweep } from './queues/sweep.ts';

export { AddressObject } from './objects/address.ts';
export { ConversationObject } from './objects/conversation/object.ts';
export { DirectoryObject } from './objects/customer-directory.ts';
export { FeedObject } from './objects/customer-feed.ts';
export { TalkObject } from './objects/talk/object.ts';
export { FlowWorkflow } from './flows/workflow.ts';

const app = createApp();

export default {
  fetch: app.fetch,
  queue: consumeQueue,
  email: (message, env) => receiveMail(message, env),
  scheduled: (_, env) => sweep(env, Date.now()),
} satisfies ExportedHandler<Env>;
