import type { Context } from 'hono';
import type { Principal } from '../domain/permissions.ts';
import { configOf } from '../env.ts';

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

/** Where the world reaches us: PUBLIC_URL, or else the origin of this request. No slash at its end. */
export const publicUrlOf = (c: AppContext): string => configOf(c.env).PUBLIC_URL || new URL(c.req.url).origin;
