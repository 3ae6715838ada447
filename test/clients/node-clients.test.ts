import { expect, it } from 'vitest';
import { nodePrograms } from '../../scripts/clients/programs.ts';
import { playClient } from '../../scripts/clients/run-client.ts';

/** Milliseconds for an installation and the conversations. */
const timeLimit = 600_000;

it.each(nodePrograms)(
  '$name works through the proxy with the strict backend',
  async (client) => {
    const { failure, played } = await playClient(client);
    expect(failure).toBeUndefined();
    expect(played.length).toBeGreaterThan(0);
  },
  timeLimit,
);
