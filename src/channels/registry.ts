import { chat } from './chat/index.ts';
import type { Channel, ProviderData } from './contract.ts';
import { email } from './email/index.ts';
import { line } from './line/index.ts';
import { messenger } from './messenger/index.ts';
import { sandbox } from './sms/sandbox/index.ts';
import { telnyx } from './sms/telnyx/index.ts';
import { twilio } from './sms/twilio/index.ts';
import { whatsapp } from './whatsapp/index.ts';

/** Every channel that Parley speaks. */
export const channels: readonly Channel[] = [line, twilio, telnyx, sandbox, whatsapp, messenger, email, chat];

/** The channel of an account: its type alone, or its type and its provider. Null when there is none such. */
export function channelOf(accountType: string, providerData: ProviderData): Channel | null {
  const { provider } = providerData;
  const ids = typeof provider === 'string' ? [accountType, `${accountType}/${provider}`] : [accountType];
  return channels.find((channel) => channel.accountType === accountType && ids.includes(channel.id)) ?? null;
}

/** The types that a conversation can have: SMS and MMS are one. */
export const conversationTypes: readonly string[] = [...new Set(channels.map((channel) => channel.conversationType))];

/** For the text of the error about an unknown account type or provider. */
export const knownChannels: readonly string[] = channels.map((channel) => channel.id);
