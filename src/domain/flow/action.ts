import { z } from 'zod';
import { MAX_TEXT_LENGTH, wellFormed } from '../content.ts';
import { isUuid } from '../ids.ts';
import { DAY } from '../time.ts';

export const MAX_ACTIONS = 100;
const LONGEST_SLEEP_MS = 365 * DAY;

const uuid = z
  .string()
  .refine(isUuid, 'must be a UUID')
  .transform((text) => text.toLowerCase());

/** What the action's id is when the flow's author gives none is made up where the flow is saved. */
const id = z.string().min(1).max(64).optional();

const text = z
  .string()
  .max(MAX_TEXT_LENGTH)
  .transform(wellFormed)
  .refine((given) => given.trim() !== '', 'must not be empty');

const MAX_DEPTH = 20;

/** Whether a value of JSON can be walked through: layer by layer, so that this itself cannot be sent too deep. */
export function isShallow(value: unknown): boolean {
  let layer: unknown[] = [value];
  for (let depth = 0; depth <= MAX_DEPTH && layer.length > 0; depth += 1) {
    layer = layer.flatMap((each): unknown[] => (typeof each === 'object' && each !== null ? Object.values(each) : []));
  }
  return layer.length === 0;
}

/** What goes out as a webhook's body: a text as it is, or JSON whose strings may hold variables. */
const data = z
  .union([z.string().max(64_000), z.custom<object>((value) => typeof value === 'object' && value !== null)])
  .refine((value) => isShallow(value), `must not be nested deeper than ${MAX_DEPTH}`)
  .default('');

/** One action of a flow (spec section 5): `{id?, type, option}`. Every string of an option but ids may hold `${variables}`. */
export const actionSchema = z.discriminatedUnion('type', [
  z.strictObject({ id, type: z.literal('conversation_send'), option: z.strictObject({ text }) }),
  z.strictObject({
    id,
    type: z.literal('webhook_send'),
    option: z.strictObject({
      method: z.enum(['POST', 'PUT', 'PATCH', 'DELETE', 'GET']).default('POST'),
      uri: z.string().min(1).max(2000),
      data,
    }),
  }),
  z.strictObject({ id, type: z.literal('assistant_reply'), option: z.strictObject({ assistant_id: uuid }) }),
  z.strictObject({ id, type: z.literal('assign'), option: z.strictObject({ owner_id: uuid }) }),
  z.strictObject({
    id,
    type: z.literal('sleep'),
    option: z.strictObject({ duration: z.number().int().min(1).max(LONGEST_SLEEP_MS) }),
  }),
  z.strictObject({
    id,
    type: z.literal('branch'),
    option: z.strictObject({ variable: z.string().min(1).max(255), equals: z.string().max(1000), goto: z.string() }),
  }),
  z.strictObject({ id, type: z.literal('stop'), option: z.strictObject({}).default({}) }),
]);

/** With an id of its own, as a flow is stored. */
export type Action = z.infer<typeof actionSchema> & { id: string };

export type ActionOf<T extends Action['type']> = Extract<Action, { type: T }>;
