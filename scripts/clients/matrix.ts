import { agentClients } from './agents.ts';
import { codexClients } from './codex.ts';
import { nodePrograms, pythonPrograms } from './programs.ts';
import type { Stage } from './stage.ts';

/** A client of the matrix. */
export type MatrixClient = {
  readonly name: string;
  /** The packages with their versions, as docs/clients.md shows them. */
  readonly version: string;
  /** Downloads the client, unless it is in the cache. */
  readonly install: () => Promise<void>;
  /** Plays its conversations, and returns their names. Throws when one fails. */
  readonly play: (stage: Stage, signal: AbortSignal) => Promise<readonly string[]>;
};

export const matrix: readonly MatrixClient[] = [
  ...nodePrograms,
  ...pythonPrograms,
  ...agentClients,
  ...codexClients,
];
