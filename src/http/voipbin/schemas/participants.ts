import { z } from '@hono/zod-openapi';
import { channelSchema } from './conversation.ts';
import { normalizeTel } from '../../../domain/addresses.ts';
import { wellFormed } from '../../../domain/content.ts';
import type { ContactAddress } from '../../../domain/conversation/state.ts';

const TYPES = ['tel', 'email', 'line', 'whatsapp', 'messenger', 'chat'] as const;

/** Normalised first (spec section 3): telephone numbers E.164, e-mail lower case. */
function normalized(type: (typeof TYPES)[number], target: string): string | null {
  const plain = target.trim();
  if (type === 'tel') return telIn(plain);
  if (type === 'email') return z.email().max(254).safeParse(plain).success ? plain.toLowerCase() : null;
  if (type === 'whatsapp' && /^\+?[\d\s().-]+$/.test(plain)) return telIn(plain.startsWith('+') ? plain : `+${plain}`);
  return plain === '' ? null : plain;
}

const telIn = (text: string): string | null => {
  const found = normalizeTel(text);
  return found?.startsWith('+') ? found : null;
};

const addressSchema = z.object({ type: z.enum(TYPES), target: z.string().max(255) });

type RawAddress = z.infer<typeof addressSchema>;
type Place = (string | number)[];

const personFields = {
  type: z.enum(TYPES).optional().openapi({ example: 'tel' }),
  target: z.string().max(255).optional().openapi({ example: '+15559876543' }),
  addresses: z
    .array(addressSchema)
    .min(1)
    .max(20)
    .optional()
    .openapi({ description: 'Use instead of `type` and `target`' }),
  name: z.string().max(255).transform(wellFormed).default(''),
  preferred_channel: channelSchema,
};

type Person = z.output<z.ZodObject<typeof personFields>>;

function personIn({ type, target, addresses, name, preferred_channel }: Person, context: z.RefinementCtx<unknown>) {
  const refuse = (path: Place, message: string) => context.addIssue({ code: 'custom', path, message });
  const given = addresses?.map((each, index): [RawAddress, Place] => [each, ['addresses', index, 'target']]);
  if (!given && type === undefined) refuse(['type'], 'is required');
  if (!given && target === undefined) refuse(['target'], 'is required');
  const single: [RawAddress, Place][] = type && target !== undefined ? [[{ type, target }, ['target']]] : [];
  const found = (given ?? single).flatMap(([raw, path]): ContactAddress[] => {
    const plain = normalized(raw.type, raw.target);
    if (plain === null) refuse(path, `is no ${raw.type} address`);
    return plain === null ? [] : [{ type: raw.type, target: plain }];
  });
  return { name, preferred_channel, addresses: found };
}

/** Seed 002's `{type, target}`, or a person with several addresses (spec section 11). */
export const newParticipantSchema = z.object(personFields).transform(personIn).openapi('NewConversationParticipant');

export const addedParticipantSchema = z
  .object({
    ...personFields,
    move: z.boolean().default(false).openapi({
      description:
        'Moves the addresses from the other open conversations that have them; a conversation with nobody left continues in this one',
    }),
  })
  .transform((given, context) => ({ ...personIn(given, context), move: given.move }))
  .openapi('AddedConversationParticipant');

export const newConversationSchema = z
  .object({
    name: z.string().max(255).transform(wellFormed).default(''),
    detail: z.string().max(4000).transform(wellFormed).default(''),
    participants: z.array(newParticipantSchema).min(1).max(20),
  })
  .openapi('NewConversation');
