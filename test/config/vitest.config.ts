import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-pool-workers';
import { defineConfig } from 'vitest/config';
import { buildAssets } from '../../src/cli/build-assets.ts';

/** Secrets that open nothing: these tests reach no one but themselves. */
const SECRETS = {
  JWT_SECRET: 'a-secret-for-tests-that-is-long-enough',
  ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64'),
  BOOTSTRAP_TOKEN: 'bootstrap-token-for-tests',
};

// wrangler.toml names their folder, and must find it.
buildAssets();
const migrations = await readD1Migrations('migrations');

export default defineConfig({
  test: {
    silent: 'passed-only',
    projects: [
      {
        // Only workerd has it; what unit tests build of the app sends no mail.
        resolve: { alias: { 'cloudflare:email': `${import.meta.dirname}/../support/no-email.ts` } },
        // Property tests run many cases: on a machine that does other things too, that takes its time.
        test: { name: 'unit', root: '.', include: ['test/unit/**/*.test.ts'], testTimeout: 60_000 },
      },
      {
        plugins: [
          cloudflareTest({
            main: './test/support/faulty-worker.ts',
            wrangler: { configPath: './wrangler.toml' },
            miniflare: {
              bindings: { ...SECRETS, ALLOW_PRIVATE_TARGETS: 'true', MIGRATIONS: migrations },
              // Whatever leaves the runtime in a test was not planned.
              outboundService: () => new Response('no network in tests', { status: 599 }),
            },
          }),
        ],
        test: {
          name: 'worker',
          // Most of their time is waiting: two at once take little more than half as long, also on two cores.
          maxWorkers: 2,
          root: '.',
          include: ['test/worker/**/*.test.ts'],
          setupFiles: ['test/support/setup-worker.ts'],
          // Some read a thousand events back: on a machine that does other things too, that takes its time.
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // Intercepted, a log line that an object writes after a file's last test keeps vitest waiting for ever:
          // https://github.com/cloudflare/workers-sdk/issues/15719
          disableConsoleIntercept: true,
        },
      },
      {
        test: {
          name: 'e2e',
          root: '.',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
