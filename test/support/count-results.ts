import type { TestModule } from 'vitest/node';

export interface Counts {
  passed: number;
  failed: number;
}

/** Skipped tests count as neither; a file that does not load, a failed hook and an unhandled error count as one failure each. */
export function countResults(modules: TestModule[], unhandledErrors: number): Counts {
  const counts = { passed: 0, failed: unhandledErrors };
  for (const module of modules) {
    counts.failed += brokenParts(module);
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === 'passed') counts.passed += 1;
      // A test without a result did not pass.
      if (state === 'failed' || state === 'pending') counts.failed += 1;
    }
  }
  return counts;
}

function brokenParts(module: TestModule): number {
  const suites = [module, ...module.children.allSuites()];
  return suites.filter((suite) => suite.errors().length > 0).length;
}
