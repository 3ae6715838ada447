import { inFreshFolder } from '../../src/client/official/environment.ts';
import type { MatrixClient } from './matrix.ts';
import { openStage } from './stage.ts';

/** The longest that a client may play, in milliseconds. */
const timeLimit = 300_000;

export type ClientResult = {
  readonly client: MatrixClient;
  readonly played: readonly string[];
  /** Why it failed; undefined if everything arrived and the backend refused nothing. */
  readonly failure: string | undefined;
};

/** Installs a client, and plays it through the bundled proxy and the strict simulated backend. */
export async function playClient(client: MatrixClient): Promise<ClientResult> {
  try {
    await client.install();
  } catch (error) {
    return { client, played: [], failure: `cannot be installed: ${reasonOf(error)}` };
  }
  return inFreshFolder(async (root) => {
    const stage = await openStage(root);
    const signal = AbortSignal.timeout(timeLimit);
    try {
      const played = await client.play(stage, signal);
      const refusals = [...new Set(stage.refusals)];
      const failure =
        refusals.length > 0
          ? `the backend refused: ${refusals.join('; ')}`
          : stage.requests() === 0
            ? 'no request reached the backend'
            : undefined;
      return { client, played, failure };
    } catch (error) {
      const refused = stage.refusals.at(-1);
      const cause = refused === undefined ? '' : ` (the backend refused: ${refused})`;
      return { client, played: [], failure: `${reasonOf(error)}${cause}` };
    } finally {
      await stage.close();
    }
  });
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
