import type { Change } from '../../domain/conversation/change.ts';
import type { Micros } from '../../domain/time.ts';
import { second } from './times.ts';

interface Entry {
  createdAt: Micros;
  change: Change;
}

/** A row of seed 003's `conversation_mode_history`. The actor's id is a UUID of `/v1.0`, or empty for Parley itself. */
export const presentModeChange = ({ createdAt, change: { actor, mode } }: Entry) => ({
  actor_user_id: actor.id,
  actor_type: actor.type,
  from_mode: mode?.from ?? null,
  to_mode: mode?.to ?? null,
  timestamp: second(createdAt),
});
