import { expect } from 'vitest';
import { eventually, inbound, newHub, newSandbox, ok, type Hub, type Json } from './hub.ts';

/** A customer with a telephone number and a mail address, and people who write to it. */
export interface Erasing {
  hub: Hub;
  account: Json;
  own: string;
  nextTel(): string;
  /** Writes an inbound message. @returns the id of its conversation. */
  says(from: string, text?: string): Promise<string>;
  contactOf(address: string): Promise<Json>;
  conversation(id: string): Promise<Json>;
  textsOf(id: string): Promise<string[]>;
  erase(contactId: string): Promise<Json>;
  /** A conversation of two people: one named Goner with these addresses, who will be erased, and one who stays. */
  group(gone: Address[], stays: string): Promise<Json>;
  participantOf(conversationId: string, target: string): Promise<Json>;
  removeFrom(conversationId: string, target: string): Promise<Json>;
  /** Waits until the search finds the word. */
  found(word: string): Promise<void>;
}

interface Address {
  type: string;
  target: string;
}

export const tel = (target: string): Address => ({ type: 'tel', target });
export const email = (target: string): Address => ({ type: 'email', target });
export const newWord = (): string => `w${crypto.randomUUID().slice(0, 8)}`;
export const newMail = (): string => `gone-${crypto.randomUUID()}@company.example`;

/** `prefix`: of the telephone numbers of its people, different in each test file. */
export async function newErasing(prefix: string): Promise<Erasing> {
  const hub = await newHub();
  const account = await newSandbox(hub);
  const own = `shop-${crypto.randomUUID().slice(0, 8)}@shop.example`;
  await ok(hub.call('POST', '/v1.0/conversation_accounts', { type: 'email', provider_data: { address: own } }));
  let people = 0;
  const read = (path: string): Promise<Json> => ok(hub.call('GET', `/v1.0/${path}`));
  const participantOf = async (id: string, target: string): Promise<Json> =>
    (await read(`conversations/${id}/participants`)).result.find((each: Json) => each.target === target);
  return {
    hub,
    account,
    own,
    participantOf,
    nextTel: () => `${prefix}${String((people += 1)).padStart(4, '0')}`,
    says: async (from, text = 'hello') => (await inbound(hub, account.id, from, text)).conversation_id,
    contactOf: (address) =>
      eventually(async () => {
        const { result } = await read(`contacts?address=${encodeURIComponent(address)}`);
        expect(result).toHaveLength(1);
        return result[0];
      }),
    conversation: (id) => read(`conversations/${id}`),
    textsOf: async (id) =>
      (await read(`conversations/${id}/messages`)).result.map(({ text }: Json) => text).toReversed(),
    erase: (id) => ok(hub.call('DELETE', `/v1.0/contacts/${id}?erase=true`)),
    group: (gone, stays) =>
      ok(hub.call('POST', '/v1.0/conversations', { name: 'A group', participants: peopleOf(gone, stays) })),
    removeFrom: async (id, target) => {
      const { id: person } = await participantOf(id, target);
      return ok(hub.call('DELETE', `/v1.0/conversations/${id}/participants/${person}`));
    },
    found: (word) => eventually(async () => expect((await read(`conversations?q=${word}`)).result).not.toEqual([])),
  };
}

const peopleOf = (gone: Address[], stays: string) => [tel(stays), { name: 'Goner', addresses: gone }];

/** A mail with one text file. */
export const mailWithFile = (from: string, to: string, content: string): string =>
  [
    `From: ${from}`,
    `To: ${to}`,
    `Message-ID: <${crypto.randomUUID()}@x>`,
    'Subject: s',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary=b',
    '',
    '--b',
    'Content-Type: text/plain',
    '',
    'hello',
    '--b',
    'Content-Type: text/plain; name=f.txt',
    'Content-Disposition: attachment',
    '',
    content,
    '--b--',
    '',
  ].join('\r\n');
