import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import { ApiError, invalidField, valueOf } from '../../errors.ts';
import { agentsOnly } from '../../middleware/authenticate.ts';
import { withIdempotencyKey } from '../../once.ts';
import { answer, body, failures, idempotencyHeaders, KEY_REFUSALS, idParam, security, uuid } from '../../openapi.ts';
import { newRouter } from '../../router.ts';
import { actorIn, agentsOf, newcomer, selfOf } from './people.ts';
import { newParticipantSchema, participantSchema } from './schemas.ts';
import { claimPair } from '../../../app/talks/open.ts';
import { presentParticipant } from '../../../dialects/voipbin/talk.ts';
import { callObject, getTalk } from '../../../objects/stubs.ts';
import type { Agent } from '../../../storage/agents.ts';

const common = { tags: ['Talk'], security, middleware: agentsOnly };
const refusals = ['AGENT_AUTH_REQUIRED', 'PERMISSION_DENIED', 'TALK_NOT_FOUND'] as const;

const listAs = <T extends z.ZodType>(schema: T) =>
  createRoute({
    ...common,
    method: 'get',
    path: '/{id}/participants',
    summary: 'List the participants of a talk, newest first',
    request: idParam,
    responses: { ...answer(schema, 'The participants'), ...failures(...refusals) },
  });

const bareListRoute = () => listAs(z.array(participantSchema));
const wrappedListRoute = () => listAs(z.object({ result: z.array(participantSchema) }));

const addRoute = () =>
  createRoute({
    ...common,
    method: 'post',
    path: '/{id}/participants',
    summary: 'Add an agent to a talk',
    description: 'Adding a participant again has no effect. A 1:1 talk accepts a second participant but no third.',
    request: { ...idParam, headers: idempotencyHeaders, ...body(newParticipantSchema) },
    responses: {
      ...answer(participantSchema, 'The participant'),
      ...failures(...refusals, 'TALK_CLOSED', 'TALK_PAIR_EXISTS', ...KEY_REFUSALS),
    },
  });

const joinRoute = () =>
  createRoute({
    ...common,
    method: 'post',
    path: '/{id}/join',
    summary: 'Join a channel',
    request: { ...idParam, headers: idempotencyHeaders },
    responses: {
      ...answer(participantSchema, 'You as a participant'),
      ...failures(...refusals, 'TALK_CLOSED', ...KEY_REFUSALS),
    },
  });

const removeRoute = () =>
  createRoute({
    ...common,
    method: 'delete',
    path: '/{id}/participants/{participant_id}',
    summary: 'Leave a talk or remove a participant; the talk is closed when the last one leaves',
    request: { params: z.object({ id: uuid, participant_id: uuid }) },
    responses: {
      ...answer(participantSchema, 'The removed participant'),
      ...failures(...refusals, 'TALK_PARTICIPANT_NOT_FOUND'),
    },
  });

/** The lists of the two path families differ: a bare array under `/service_agents`, `{result}` under `/talks` (spec section 11). */
export function talkParticipantRoutes(family: 'service_agents' | 'talks') {
  const routes = newRouter();

  if (family === 'service_agents') {
    routes.openapi(bareListRoute(), async (c) => c.json(await participants(c, c.req.valid('param').id), 200));
  } else {
    routes.openapi(wrappedListRoute(), async (c) =>
      c.json({ result: await participants(c, c.req.valid('param').id) }, 200),
    );
  }

  routes.openapi(addRoute(), async (c) => {
    const { owner_id, agent_id } = c.req.valid('json');
    const field = owner_id === undefined ? 'agent_id' : 'owner_id';
    const wanted = owner_id ?? agent_id ?? '';
    return c.json(await addToTalk(c, c.req.valid('param').id, () => oneAgent(c, wanted, field), field), 200);
  });

  routes.openapi(joinRoute(), async (c) => {
    const { id } = c.req.valid('param');
    const self = async () => {
      const { state } = valueOf(await callObject(() => getTalk(c.env, id).read(actorIn(c, id))));
      if (state.type !== 'channel') throw new ApiError('INVALID_ARGUMENT', 'only channels can be joined');
      return selfOf(c);
    };
    return c.json(await addToTalk(c, id, self, 'owner_id'), 200);
  });

  routes.openapi(removeRoute(), async (c) => {
    const { id, participant_id } = c.req.valid('param');
    const removed = await getTalk(c.env, id).leave(actorIn(c, id), participant_id);
    return c.json(presentParticipant(valueOf(removed)), 200);
  });
  return routes;
}

async function participants(c: AppContext, id: string) {
  const listed = await callObject(() => getTalk(c.env, id).listParticipants(actorIn(c, id)));
  return valueOf(listed).map(presentParticipant);
}

const oneAgent = async (c: AppContext, id: string, field: string): Promise<Agent> => {
  const [agent] = await agentsOf(c, [id], () => field);
  if (!agent) throw invalidField(field, 'is not one of your agents');
  return agent;
};

/** `field`: what the caller named the agent by, for a refusal that is about it. */
const addToTalk = (c: AppContext, talkId: string, find: () => Promise<Agent>, field: string) =>
  withIdempotencyKey(c, async () => {
    const actor = actorIn(c, talkId);
    const { state } = valueOf(await callObject(() => getTalk(c.env, talkId).read(actor)));
    const agent = await find();
    // Before its pair is made, a 1:1 talk has one participant, and only that one may see it: the caller.
    const makesPair = state.type === 'normal' && state.pair === null && state.lifecycle === 'active';
    if (makesPair && agent.id !== actor.agentId)
      valueOf(await claimPair(c.env, actor.customerId, talkId, [actor.agentId, agent.id]));
    const result = await callObject(() => getTalk(c.env, talkId).join(actor, newcomer(agent)));
    if (!result.ok && result.error.code === 'INVALID_FIELD') throw invalidField(field, result.error.problem);
    return { answer: presentParticipant(valueOf(result)) };
  });
