import { channelOptionsOf, judgeContent, type OptionContent } from './channel-options.ts';
import { inOpenConversation } from './open.ts';
import { sendableTemplates, templateText } from './templates.ts';
import { findResolved, type ResolvedAccount } from '../accounts.ts';
import { canonicalOf } from '../contacts/aliases.ts';
import { attach, type WantedMedia } from '../media/attach.ts';
import { address } from '../../domain/addresses.ts';
import type { TemplateUse } from '../../domain/content.ts';
import type { IdempotencyClaim, Opening, SendCommand, Recipient } from '../../domain/conversation/commands.ts';

import type { Choice, ConversationState, Message, ContactAddress } from '../../domain/conversation/state.ts';
import { wishOf } from '../../domain/conversation/delivery/channel-choice.ts';
import { newBinding } from '../../domain/conversation/identity/bindings.ts';
import { peopleOf } from '../../domain/conversation/identity/participants.ts';

import type { Refusal } from '../../domain/errors.ts';
import { actorOf, owningAgent, type Actor, type Principal } from '../../domain/permissions.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import { uuidFrom } from '../../security/encoding.ts';
import { findSignedIn } from '../../storage/agents.ts';
import { findTimeouts } from '../../storage/customers.ts';

/** What somebody wants to send: a person or a program by the API, in either dialect, a flow, or an assistant. */
export interface SendRequest {
  customerId: string;
  actor: Actor;
  actorName: string;
  /** The agent that sends because it owns the conversation; null for those who may send in any. */
  asOwner: string | null;
  /** The activeflow that sends, or null. */
  activeflowId: string | null;
  text: string;
  medias: WantedMedia[];
  /** Instead of a text and medias. */
  template: TemplateUse | null;
  /** The conversation type to send by; empty takes the best for each participant. */
  channel: string;
  /** For those who get it by e-mail; empty: that of the thread. */
  subject: string;
  /** The sender's own name for the message, or empty. */
  clientId: string;
  /** Makes it a person's reply, which takes the conversation over. */
  takeover: boolean;
  /** The mode epoch in which the work behind it began; null: it may be sent in any. */
  fence: number | null;
  /** The sequence that the sender has seen; null: it does not matter. */
  expectedSequence: number | null;
  idempotency: IdempotencyClaim | null;
  /** Where the world reaches us. Null for what runs inside: the conversation keeps the settings that it has. */
  publicUrl: string | null;
  /** What the ids of the message and its deliveries are made from: a repeat with the same seed is the same message. Null: random ids. */
  seed: string | null;
}

/** What most requests leave open. */
export const SEND_DEFAULTS = {
  asOwner: null,
  activeflowId: null,
  medias: [],
  template: null,
  channel: '',
  subject: '',
  clientId: '',
  takeover: false,
  fence: null,
  expectedSequence: null,
  idempotency: null,
  publicUrl: null,
  seed: null,
} satisfies Partial<SendRequest>;

/** Who sends, where a principal of the API does. */
export async function senderOf(env: Env, principal: Principal) {
  const agent = principal.kind === 'agent' ? await findSignedIn(env, principal.agentId) : null;
  return {
    customerId: principal.customerId,
    actor: actorOf(principal),
    actorName: agent?.name ?? '',
    asOwner: owningAgent(principal),
  };
}

/** Sends in a conversation, to everybody in it. The message is stored and ordered when this returns. */
export async function send(
  env: Env,
  request: SendRequest,
  state: ConversationState,
): Promise<Result<Message, Refusal>> {
  const command = await buildSendCommand(env, request, state);
  const sent = command.ok ? await callObject(() => getConversation(env, state.id).send(command.value)) : command;
  if (sent.ok) return sent;
  // What is refused now, because an account or a template has gone since, may be the repeat of what was accepted.
  const { customerId, idempotency } = request;
  const earlier = idempotency && (await earlierAnswer(env, customerId, state.id, idempotency));
  return earlier ?? err(await withTemplates(env, sent.error, await findResolved(env, state.accountId)));
}

/** What the conversation answered to the request of this key before; null: nothing yet. */
export const earlierAnswer = (
  env: Env,
  customerId: string,
  conversationId: string,
  claim: IdempotencyClaim,
): Promise<Result<Message, Refusal> | null> =>
  callObject(() => getConversation(env, conversationId).answered(customerId, claim));

/** How a message would go now, for each participant. Nothing is sent. */
export async function previewSend(
  env: Env,
  request: SendRequest,
  state: ConversationState,
): Promise<Result<Choice[], Refusal>> {
  const command = await buildSendCommand(env, request, state);
  if (!command.ok) return command;
  const { customerId, recipients } = command.value;
  return callObject(() => getConversation(env, state.id).choose(customerId, recipients, wishOf(command.value)));
}

/**
 * The command by which a conversation's object sends: with every channel option of every participant. A template's options are those of
 * its account, which is the one that the conversation used last. Refused when no account that could carry it exists any more.
 */
export async function buildSendCommand(
  env: Env,
  request: SendRequest,
  state: ConversationState,
): Promise<Result<SendCommand, Refusal>> {
  const templateAccount = request.template ? await findResolved(env, state.accountId) : null;
  if (request.template && !templateAccount) return err({ code: 'CONVERSATION_ACCOUNT_GONE' });
  const content = await contentOf(env, request, templateAccount);
  if (!content.ok) return content;
  const recipients = await Promise.all(
    peopleOf(state).map(async (participant): Promise<Recipient> => {
      const options = await channelOptionsOf(env, state, participant, content.value);
      return {
        participantId: participant.id,
        deliveryId: await idOf(request, `delivery ${participant.id}`),
        options: templateAccount
          ? options.filter(({ binding }) => binding.accountId === templateAccount.account.id)
          : options,
      };
    }),
  );
  if (recipients.every(({ options }) => options.length === 0)) return err({ code: 'CONVERSATION_ACCOUNT_GONE' });
  return ok(await commandOf(env, request, content.value, recipients));
}

/**
 * Sends to a contact by one account, in the contact's open conversation or in one that the message opens: both or neither. `to`: the
 * contact's address, or another id that its provider has for it. `goesTo` learns the id of each conversation before it is asked.
 */
export async function sendToContact(
  env: Env,
  request: SendRequest,
  resolved: ResolvedAccount,
  to: ContactAddress,
  goesTo: (conversationId: string) => Promise<void>,
): Promise<Result<Message, Refusal>> {
  const content = await contentOf(env, request, request.template ? resolved : null);
  if (!content.ok) return content;
  const judged = await judgeContent(env, resolved, content.value);
  // Before a conversation is claimed for it.
  if (judged.obstacle) return invalid(judged.obstacle.field, judged.obstacle.problem);
  const deliveryId = await idOf(request, 'delivery');
  const base = await commandOf(env, request, content.value, []);
  const attempt = async (first: Opening) => {
    const option = { ...judged, binding: newBinding(first) };
    const recipient = { participantId: first.participants[0]?.id ?? '', deliveryId, options: [option] };
    const command = { ...base, recipients: [recipient], first };
    await goesTo(first.conversationId);
    return callObject(() => getConversation(env, first.conversationId).send(command));
  };
  // A contact that is named by another id and whose number is known is written to at its number.
  const target = to.target.startsWith('+') ? to.target : ((await canonicalOf(env, resolved, to.target)) ?? to.target);
  const contact = { peer: address(to.type, target), dialogId: target };
  const sent = await inOpenConversation(env, resolved, contact, { doneBefore: () => Promise.resolve(null), attempt });
  return sent.ok ? sent : err(await withTemplates(env, sent.error, resolved));
}

/** The text and the medias as they go out. `templateAccount`: null where it is no template. */
async function contentOf(
  env: Env,
  request: SendRequest,
  templateAccount: ResolvedAccount | null,
): Promise<Result<OptionContent, Refusal>> {
  const { customerId, publicUrl, template, medias } = request;
  const attached = await attach(env, customerId, publicUrl, medias);
  if (!attached.ok) return attached;
  const text = template && templateAccount ? await templateText(env, templateAccount, template) : ok(request.text);
  return text.ok ? ok({ text: text.value, attached: attached.value }) : text;
}

/** The one place where a SendCommand is made. */
async function commandOf(
  env: Env,
  request: SendRequest,
  { text, attached }: OptionContent,
  recipients: Recipient[],
): Promise<SendCommand> {
  const { medias: _, publicUrl, seed: __, ...same } = request;
  const settings = publicUrl === null ? null : { ...(await findTimeouts(env, request.customerId)), publicUrl };
  const messageId = await idOf(request, 'message');
  return { ...same, messageId, text, medias: attached.map(({ media }) => media), recipients, settings };
}

/** What a flow repeats has the ids of the first time. */
const idOf = ({ seed }: SendRequest, what: string): Promise<string> | string =>
  seed === null ? crypto.randomUUID() : uuidFrom(`${what} ${seed}`);

const invalid = (field: string, problem: string) => err({ code: 'INVALID_FIELD', field, problem } as const);

/** After the service window templates may still be sent. */
async function withTemplates(env: Env, refusal: Refusal, resolved: ResolvedAccount | null): Promise<Refusal> {
  if (refusal.code !== 'WINDOW_CLOSED') return refusal;
  return { ...refusal, templates: resolved ? await sendableTemplates(env, resolved) : [] };
}
