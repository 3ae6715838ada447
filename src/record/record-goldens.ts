import { isVersion, unknownVersion } from '../client/install/codex-version.ts';
import { installOfficialClient } from '../client/install/install.ts';
import { defaultClientCache, removeClient } from '../client/install/installed.ts';
import { latestVersion } from '../client/install/npm.ts';
import type { Lane } from '../client/official/lanes.ts';
import { ParityError } from '../errors.ts';
import { playableBy } from '../scenario/playable.ts';
import { loadScenario, scenarioNames } from '../scenario/scenario.ts';
import { defaultAuthorityFolder, openCertificateAuthority } from '../tap/certificate-authority.ts';
import {
  cellsOf,
  type MatrixOptions,
  type MatrixRow,
  recordMatrix,
  type Shard,
  shardOf,
  withoutRecorded,
} from './record-matrix.ts';

export type RecordGoldensOptions = Pick<MatrixOptions, 'out' | 'runs' | 'signal' | 'onProgress'> & {
  /** Versions of the official client; `latest` is the newest in the registry. */
  readonly versions: readonly string[];
  /** Names of scenarios; `all` is every scenario. */
  readonly scenarios: readonly string[];
  /** All lanes of each scenario, unless given. */
  readonly lanes: readonly Lane[] | undefined;
  /** All versions, unless given. */
  readonly shard: Shard | undefined;
  /** Skip the goldens that exist in `out`. */
  readonly resume: boolean;
  /** Remove each installed client after its goldens are recorded. */
  readonly prune: boolean;
};

const latest = 'latest';

/**
 * Records goldens from the official client with a simulated backend. Invalid versions, scenarios and lanes are reported
 * before the first download. Throws ParityError.
 */
export async function recordGoldens(options: RecordGoldensOptions): Promise<void> {
  const { out, runs, signal, onProgress } = options;
  const rows = await plan(options);
  if (rows.every(({ cells }) => cells.length === 0)) onProgress('nothing left to record');
  await recordMatrix({
    rows,
    out,
    runs,
    authority: await openCertificateAuthority(defaultAuthorityFolder()),
    install: (version) => installOfficialClient(version, { signal, onProgress }),
    onVersionDone: async (version) => {
      if (options.prune) await removeClient(defaultClientCache(process.env), version);
    },
    onProgress,
    signal,
  });
}

/** The goldens to record, by version. Reports the scenarios that a version cannot play. */
async function plan(options: RecordGoldensOptions): Promise<MatrixRow[]> {
  const { versions, lanes, shard, resume, out, signal, onProgress } = options;
  const names = options.scenarios.flatMap((name) => (name === 'all' ? scenarioNames() : [name]));
  const scenarios = [...new Set(names)].map(loadScenario);
  if (cellsOf(scenarios, lanes).length === 0) {
    throw new ParityError(
      'usage',
      `scenario ${options.scenarios.join(', ')} is not recorded in lane ${lanes?.join(', ')}: omit --lane`,
    );
  }
  for (const version of versions) {
    if (version !== latest && !isVersion(version)) throw unknownVersion(version, 'is not a version');
  }
  const resolved = await Promise.all(
    versions.map((version) => (version === latest ? latestVersion(signal) : version)),
  );
  const all = [...new Set(resolved)].map((version) => {
    const playable = playableBy(version, scenarios, (reason) => onProgress(`skipped: ${reason}`));
    return { version, cells: cellsOf(playable, lanes) };
  });
  const rows = shard === undefined ? all : shardOf(all, shard);
  return resume ? withoutRecorded(rows, out) : rows;
}
