import { z } from 'zod';
import { MAX_MEDIAS, MAX_TEXT_LENGTH, wellFormed } from '../../domain/content.ts';
import { isUuid } from '../../domain/ids.ts';
import type { TalkEdit, TalkSend } from '../../domain/talk/commands.ts';
import { defined } from '../../domain/optional.ts';

/** Talk's request bodies, shared by REST and socket frames (spec section 11). */

export const uuidText = z
  .string()
  .refine(isUuid, 'must be a UUID')
  .transform((id) => id.toLowerCase());

const text = z.string().max(MAX_TEXT_LENGTH).transform(wellFormed);

const mediaSchema = z.object({
  type: z.string().min(1).max(127),
  url: z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' }).max(2000),
  name: z.string().max(255).default(''),
});

const medias = z.array(mediaSchema).max(MAX_MEDIAS);

/** Emoji or a short name for one ("thumbsup"), as seed 004 has both. */
export const emojiSchema = z
  .string()
  .min(1)
  .max(64, 'must have at most 64 characters')
  .refine((emoji) => emoji.isWellFormed() && !/\s|\p{Cc}/u.test(emoji), 'must be an emoji or its name');

const said = {
  text: text.default(''),
  medias: medias.default([]),
  /** Empty for a top-level message (seed 004). */
  parent_id: z.union([z.literal(''), uuidText]).default(''),
  client_id: z.string().max(255).default(''),
};

const edited = { text: text.optional(), medias: medias.optional() };

const saysSomething = (message: { text: string; medias: unknown[] }): boolean =>
  message.text.trim() !== '' || message.medias.length > 0;
const saysNothing = { path: ['text'], message: 'is required unless there are medias' };

const editsSomething = (edit: { text?: unknown; medias?: unknown }): boolean =>
  edit.text !== undefined || edit.medias !== undefined;
const editsNothing = { path: ['text'], message: 'text or medias is required' };

const NORMAL_ONLY = 'must be "normal"; only the server writes system messages';

export const newTalkMessageSchema = z
  .object({ type: z.literal('normal', { error: NORMAL_ONLY }).default('normal'), ...said })
  .refine(saysSomething, saysNothing);

export const talkEditSchema = z.object(edited).refine(editsSomething, editsNothing);

export const readSchema = z.object({ sequence: z.number().int().nonnegative() });

const clientId = { client_id: z.string().max(255).default('') };
const named = { ...clientId, message_id: uuidText };

/** The commands of a talk's socket: the REST bodies' fields, and which message they are about. */
export const talkFrameSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('send'), ...said }).refine(saysSomething, saysNothing),
  z.object({ type: z.literal('edit'), ...named, ...edited }).refine(editsSomething, editsNothing),
  z.object({ type: z.literal('delete'), ...named }),
  z.object({ type: z.literal('react'), ...named, emoji: emojiSchema }),
  z.object({ type: z.literal('unreact'), ...named, emoji: emojiSchema }),
  z.object({ type: z.literal('read'), ...clientId, ...readSchema.shape }),
  z.object({ type: z.literal('typing'), ...clientId }),
]);

export type TalkFrame = z.infer<typeof talkFrameSchema>;

/** A client's message as the talk's command. */
export const talkSendOf = (body: z.infer<z.ZodObject<typeof said>>): TalkSend => ({
  text: body.text,
  medias: body.medias,
  parentId: body.parent_id === '' ? null : body.parent_id,
  clientId: body.client_id,
});

export const talkEditOf = ({ text: newText, medias: newMedias }: z.infer<z.ZodObject<typeof edited>>): TalkEdit =>
  defined({ text: newText, medias: newMedias });
