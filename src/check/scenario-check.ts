import type { Lane } from '../client/official/lanes.ts';
import type { VersionHeaders } from '../diff/version-fit.ts';
import type { Golden } from '../golden/golden.ts';
import type { GoldenFolders } from '../golden/select.ts';
import type { Driver } from './driver.ts';
import type { TraceKeeping } from './keep-traces.ts';
import type { Subject } from './subject.ts';
import type { SubjectHost } from './subject-host.ts';

/** One scenario to check, and all that it needs. */
export type ScenarioCheck = {
  readonly lane: Lane;
  /** What the client sends to the subject. */
  readonly golden: Golden;
  /** What the subject must send upstream. The same golden, unless the lane points the client at a proxy. */
  readonly upstream: Golden;
  /** Absolute paths. */
  readonly goldens: GoldenFolders;
  /** The one of them that has `golden`. */
  readonly goldensFolder: string;
  /** The headers of every version that has goldens. */
  readonly knownVersions: () => VersionHeaders;
  readonly subject: Subject;
  /** Starts the subject. */
  readonly host: SubjectHost;
  readonly driver: Driver;
  /** Port of the simulated backend; 0 is any free one. */
  readonly backendPort: number;
  /** Milliseconds that the scenario may take. */
  readonly timeLimit: number;
  /** The seed by which both sides vary what the protocols leave open; undefined varies nothing. */
  readonly vary: number | undefined;
  /** Whether the result has the traffic of a scenario that is not ok. */
  readonly keepsTraffic: boolean;
  readonly signal: AbortSignal;
  readonly traces?: TraceKeeping | undefined;
};
