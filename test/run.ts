import { startVitest, parseCLI } from 'vitest/node';
import { countResults, type Counts } from './support/count-results.ts';

/** Runs every test and ends with one line, so that a person or a script need not know vitest's output. */
async function run(args: string[]): Promise<Counts> {
  const { filter, options } = parseCLI(['vitest', 'run', '--config', 'test/config/vitest.config.ts', ...args]);
  const vitest = await startVitest(filter, options);
  const counts = countResults(vitest.state.getTestModules(), vitest.state.getUnhandledErrors().length);
  // vitest also fails for reasons that no test shows: a coverage threshold, a project that did not start.
  const failedElsewhere = counts.failed === 0 && counts.passed > 0 && Boolean(process.exitCode);
  return failedElsewhere ? { ...counts, failed: 1 } : counts;
}

/** A run that stands still is a failure that is seen, not a machine that is busy until somebody looks. */
const LIMIT_MS = 25 * 60_000;

function endInAnyCase(): void {
  setTimeout(() => {
    console.error(
      `\nThe tests have not ended after ${LIMIT_MS / 60_000} minutes; the file after the last one above stands still.`,
    );
    process.stdout.write('\n0 passed, 1 failed\n', () => process.exit(1));
  }, LIMIT_MS).unref();
}

async function main(): Promise<void> {
  endInAnyCase();
  const counts = await run(process.argv.slice(2)).catch((error: unknown) => {
    console.error(error);
    return { passed: 0, failed: 1 };
  });
  const green = counts.failed === 0 && counts.passed > 0;
  // The callback: process.exit would cut off what a pipe has not taken yet, and workers may keep the process alive without it.
  process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed\n`, () => process.exit(green ? 0 : 1));
}

await main();
