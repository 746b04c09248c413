import type { Context } from 'hono';
import type { Principal } from '../domain/permissions.ts';

/** What middleware leaves for handlers. */
export interface AppEnv {
  Bindings: Env;
  Variables: {
    requestId: string;
    /** Set by `authenticate`; routes without it never read it. */
    principal: Principal;
    /** The version of the agent's tokens, 0 for access keys: a stream is cut off when it changes. */
    tokenVersion: number;
  };
}

export type AppContext = Context<AppEnv>;
