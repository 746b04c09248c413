import { applyD1Migrations, type D1Migration } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, beforeAll } from 'vitest';
import { heal } from './faults.ts';

declare global {
  namespace Cloudflare {
    interface Env {
      /** The D1 migrations, read by vitest.config.ts. */
      MIGRATIONS: D1Migration[];
    }
  }
}

beforeAll(() => applyD1Migrations(env.DB, env.MIGRATIONS));

afterEach(heal);
