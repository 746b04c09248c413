import { expect, test } from 'vitest';
import { presentMessage as presentVoicebip } from '../../../src/dialects/voicebip/message.ts';
import { presentMessage, presentReceived } from '../../../src/dialects/voipbin/message.ts';
import { media, storedRef } from '../../../src/domain/content.ts';
import { newMessage } from '../../../src/domain/conversation/decide-message.ts';
import type { Message } from '../../../src/domain/conversation/state.ts';
import { aConversation, NOW } from '../domain/support.ts';

const ORIGIN = 'https://parley.example';
const ID = '44444444-4444-4444-8444-444444444444';
const UPLOAD = '88888888-8888-4888-8888-888888888888';
const state = aConversation();

const OURS = `${ORIGIN}/v1.0/conversations/${state.id}/messages/${ID}/medias`;
const CASES = [
  // What a contact sent: its place in the message is its name.
  [media('image/png', { origin: ORIGIN, providerRef: 'line:1' }), `${OURS}/0`],
  [media('image/png', { origin: ORIGIN, providerRef: 'https://provider.example/expires' }), `${OURS}/1`],
  // What somebody uploaded.
  [media('image/png', { origin: ORIGIN, providerRef: storedRef(UPLOAD) }), `${ORIGIN}/v1.0/medias/${UPLOAD}`],
  // A mail to a deployment that has no PUBLIC_URL.
  [media('image/png', { origin: '', providerRef: 'mail:1' }), `${OURS.replace(ORIGIN, '')}/3`],
  // Somewhere else, and what commit aa301288 stored.
  [media('image/png', { url: 'https://files.example/a.png' }), 'https://files.example/a.png'],
  [media('image/png', { url: `${OURS}/5`, providerRef: 'line:2' }), `${OURS}/5`],
  [
    media('image/png', { url: `${ORIGIN}/v1.0/medias/${UPLOAD}`, providerRef: storedRef(UPLOAD) }),
    `${ORIGIN}/v1.0/medias/${UPLOAD}`,
  ],
] as const;

test('a file of a message has the URL under which it opens, in every presentation', () => {
  const message: Message = {
    ...newMessage(state, { messageId: ID, text: '', medias: CASES.map(([each]) => each) }, NOW),
    direction: 'incoming',
    source: state.peer,
    destination: state.self,
    sender: { type: 'contact', id: '', name: '' },
  };
  const urls = CASES.map(([, url]) => url);
  expect(presentMessage(message).medias.map(({ url }) => url)).toEqual(urls);
  expect(presentReceived(message).message.medias.map(({ url }) => url)).toEqual(urls);
  expect(presentVoicebip(message).media.map(({ url }) => url)).toEqual(urls);
  expect(JSON.stringify(presentMessage(message))).not.toContain('line:1');
});
