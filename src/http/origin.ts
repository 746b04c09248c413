import type { AppContext } from './context.ts';
import { configOf } from '../env.ts';

/** Where the world reaches us: PUBLIC_URL, or else the origin of this request. No slash at its end. */
export const publicUrlOf = (c: AppContext): string => configOf(c.env).PUBLIC_URL || new URL(c.req.url).origin;
