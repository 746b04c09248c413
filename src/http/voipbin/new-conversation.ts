import { createRoute, type z } from '@hono/zod-openapi';
import type { AppContext } from '../context.ts';
import { invalidField, valueOf } from '../errors.ts';
import { withIdempotencyKey } from '../once.ts';
import { answer, body, failures, idempotencyHeaders, KEY_REFUSALS, security } from '../openapi.ts';
import { publicUrlOf } from '../origin.ts';
import { participantOf } from '../participants.ts';
import { newRouter } from '../router.ts';
import { accountFor, firstOpening } from '../ways.ts';
import { guardOf } from './access.ts';
import { claim } from './claims.ts';
import { conversationSchema } from './schemas/conversation.ts';
import { newConversationSchema } from './schemas/participants.ts';
import type { ResolvedAccount } from '../accept-message.ts';
import { presentConversation } from '../../dialects/voipbin/conversation.ts';
import type { Opening } from '../../domain/conversation/commands.ts';
import type { ContactAddress, NewParticipant } from '../../domain/conversation/identity/participants.ts';
import type { ConversationState } from '../../domain/conversation/state.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import { findAllAccounts } from '../../storage/accounts.ts';
import { findTimeouts } from '../../storage/customers.ts';

const createRouteOf = createRoute({
  tags: ['Conversations'],
  security,
  middleware: guardOf('managers'),
  method: 'post',
  path: '/',
  summary: 'Get the open conversation with these addresses, or create it',
  description:
    'If some of the addresses already belong to one open conversation, that conversation is returned and the other addresses are added to it. If they belong to two, 409 ADDRESS_TAKEN names both. A repeat with the same Idempotency-Key returns the conversation in its current state.',
  request: { headers: idempotencyHeaders, ...body(newConversationSchema) },
  responses: {
    ...answer(conversationSchema, 'The conversation'),
    ...failures('PERMISSION_DENIED', 'CONVERSATION_NOT_FOUND', 'ADDRESS_TAKEN', ...KEY_REFUSALS),
  },
});

export const newConversationRoutes = newRouter();

newConversationRoutes.openapi(createRouteOf, async (c) => {
  const wanted = c.req.valid('json');
  // No more is kept under the key: who is erased must not come back with the answer to a repeat.
  const { id } = await withIdempotencyKey(c, async () => ({ answer: { id: (await getOrCreate(c, wanted)).id } }));
  const { customerId } = c.get('principal');
  const made = valueOf(await callObject(() => getConversation(c.env, id).read(customerId)));
  return c.json(presentConversation(made), 200);
});

type Wanted = z.infer<typeof newConversationSchema>;

const UNREACHABLE = invalidField('participants', 'none of your accounts can reach any of these addresses');

/** How often a conversation may end between being claimed and being joined. */
const MAX_ROLLOVERS = 5;

async function getOrCreate(c: AppContext, wanted: Wanted): Promise<ConversationState> {
  const { customerId } = c.get('principal');
  const addresses = wanted.participants.flatMap((each) => each.addresses);
  const first = await firstWay(c, addresses);
  const settings = { ...(await findTimeouts(c.env, customerId)), publicUrl: publicUrlOf(c) };
  for (let tries = 0; tries < MAX_ROLLOVERS; tries += 1) {
    const id = await claim(c.env, customerId, addresses, first && crypto.randomUUID());
    if (id === null) throw UNREACHABLE;
    const people = await Promise.all(wanted.participants.map((each) => personOf(customerId, each)));
    const opening = first && (await openingFor(c, wanted, first, id, people));
    const command = { customerId, opening, people, settings };
    const opened = await callObject(() => getConversation(c.env, id).openWith(command));
    if (opened.ok) return opened.value;
    if (opened.error.code !== 'CONVERSATION_CLOSED') throw UNREACHABLE;
  }
  throw new Error('conversations close faster than they open');
}

const personOf = (customerId: string, each: Wanted['participants'][number]): Promise<NewParticipant> =>
  participantOf(customerId, each.name, each.addresses, each.preferred_channel);

interface First {
  resolved: ResolvedAccount;
  address: ContactAddress;
}

/** What carries a new conversation until its contacts say otherwise: the first address that an account of the customer's reaches. */
async function firstWay(c: AppContext, addresses: ContactAddress[]): Promise<First | null> {
  const accounts = await findAllAccounts(c.env, c.get('principal').customerId);
  for (const address of addresses) {
    const resolved = accountFor(accounts, address);
    if (resolved) return { resolved, address };
  }
  return null;
}

async function openingFor(
  c: AppContext,
  { name, detail }: Wanted,
  { resolved, address }: First,
  conversationId: string,
  participants: NewParticipant[],
): Promise<Opening> {
  return {
    ...(await firstOpening(c.env, resolved, address)),
    ...(name === '' ? {} : { name }),
    ...(detail === '' ? {} : { detail }),
    conversationId,
    participants,
  };
}
