import { fenceOf, type ActionContext } from '../context.ts';
import { refused } from './refusal.ts';
import { overLimit } from '../../channels/limits.ts';
import { channelOf } from '../../channels/registry.ts';
import type { SendCommand } from '../../domain/conversation/commands.ts';
import type { ActionOf } from '../../domain/flow/action.ts';
import type { ActionResult } from '../../domain/flow/progress.ts';
import { expand } from '../../domain/flow/variables.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import { uuidFrom } from '../../security/encoding.ts';
import { findAnyAccount } from '../../storage/accounts.ts';

/** Sends to the contact in the flow's name. The message's id follows from its place in the activeflow: a repeat is the same message. */
export async function conversationSend(
  context: ActionContext,
  { option }: ActionOf<'conversation_send'>,
): Promise<ActionResult> {
  const { env, conversation } = context;
  const account = await findAnyAccount(env, conversation.accountId);
  const channel = account && channelOf(account.type, account.providerData);
  if (!channel) return { kind: 'failed', code: 'CONVERSATION_ACCOUNT_GONE' };
  const text = expand(option.text, context.variables);
  if (text.trim() === '') return { kind: 'failed', code: 'EMPTY_TEXT' };
  if (overLimit(channel, text, [])) return { kind: 'failed', code: 'TEXT_TOO_LONG' };
  const command = { ...(await sendCommand(context)), text, segments: channel.segments(text) };
  const sent = await callObject(() => getConversation(env, conversation.id).send(command));
  return sent.ok ? { kind: 'done' } : refused(sent.error);
}

async function sendCommand(context: ActionContext): Promise<Omit<SendCommand, 'text' | 'segments'>> {
  const { activeflow, count } = context;
  const place = `${activeflow.id} ${count}`;
  return {
    customerId: activeflow.customerId,
    actor: { type: 'flow', id: activeflow.id },
    actorName: activeflow.flowName,
    takeover: false,
    fence: fenceOf(context),
    activeflowId: activeflow.id,
    asOwner: null,
    messageId: await uuidFrom(`message ${place}`),
    deliveryId: await uuidFrom(`delivery ${place}`),
    medias: [],
    template: null,
    recipients: null,
    channel: '',
    clientId: '',
    expectedSequence: null,
    idempotency: null,
    settings: null,
  };
}
