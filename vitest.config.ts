import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Tests that need the official client, npm or Redis, start programs that go on running, take a minute, or send many megabytes.
 * All others are unit tests.
 */
export const systemTests = [
  'test/{clients,e2e,integration}/**/*.test.ts',
  'test/check/{fault-checks,wrong-proxies}.test.ts',
  'test/client/*-real.test.ts',
  'test/client/install-refused.test.ts',
  'test/diff/hostile.test.ts',
  'test/golden/mutations.test.ts',
  'test/proxy/{http2-failures,large-requests,slow-clients,state}.test.ts',
  'test/proxy/sign-in/{official,renewing-processes,shared-renewals}.test.ts',
];

/** Tests that take more than ten seconds, most of it waiting. They start before the others, the longest first. */
export const long = [
  'diff/hostile',
  'e2e/soak',
  'integration/holdings',
  'golden/mutations',
  'e2e/distribution',
  'e2e/check-openai',
  'check/fault-checks',
  'e2e/watch',
  'e2e/proxy-workers',
  'e2e/record',
  'e2e/check',
  'e2e/failures',
  'e2e/proxy-http2',
  'e2e/html-report',
  'e2e/check-client',
  'proxy/state',
  'e2e/replay',
  'proxy/http2-failures',
  'proxy/sign-in/silent-endpoint',
  'client/run-client-real',
  'clients/node-clients',
  'proxy/sign-in/renewing-processes',
  'integration/idle-memory',
  'proxy/tunnel',
  'client/app-server-session',
  'e2e/scale',
  'e2e/laws',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = long.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return at === -1 ? long.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Limits for a test that hangs. They are long because a test may download the official client.
    testTimeout: 120_000,
    hookTimeout: 300_000,
    // For a machine on which other programs run, and which may stand still for half a minute. The usual second is not enough.
    expect: { poll: { timeout: 60_000 } },
    // More than the cores of a small CI machine: tests wait for much of their time.
    maxWorkers: 5,
    // A worker loads each module once, and not once for each file. Tests restore what they change.
    isolate: false,
    sequence: { sequencer: LongestFirst },
    // Node then compiles each file once for all programs that the tests start, and not once for each.
    env: { NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache') },
  },
});
