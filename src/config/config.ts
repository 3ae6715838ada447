import { stringify } from 'yaml';
import { z } from 'zod';
import { ParityError } from '../errors.ts';
import { clientConfig } from './client-config.ts';
import { configFiles, filesIn, misnamedFile } from './config-file.ts';
import { type SubjectConfig, subjectConfig } from './subject-config.ts';
import { parseYaml, readYaml } from './yaml-file.ts';

const portMessage = 'must be a whole number from 0 to 65535';

const positiveInteger = z.int('must be a whole number').positive('must be above 0').exactOptional();

/** Names and units as in src/proxy/limits.ts: milliseconds and bytes. */
const limits = z.strictObject({
  bodyBytes: positiveInteger,
  requestBytes: positiveInteger,
  messageBytes: positiveInteger,
  headers: positiveInteger,
  connections: positiveInteger,
  keepAlive: positiveInteger,
  requestTime: positiveInteger,
  connectTime: positiveInteger,
  firstByte: positiveInteger,
  idle: positiveInteger,
  connectionIdle: positiveInteger,
  ping: positiveInteger,
  connectionAge: positiveInteger,
  sessionIdle: positiveInteger,
  sessions: positiveInteger,
  historyBytes: positiveInteger,
});

/** The options of `codex-parity proxy` under the same names, and its limits, which only this file sets. */
const proxy = z.strictObject({
  port: z.int(portMessage).min(0, portMessage).max(65_535, portMessage).optional(),
  host: z.string().optional(),
  'allow-host': z.array(z.string()).optional(),
  upstream: z.string().optional(),
  auth: z.string().optional(),
  codex: z.string().optional(),
  goldens: z.union([z.string(), z.array(z.string())]).optional(),
  state: z.string().optional(),
  record: z.string().optional(),
  grace: z.number().min(0, 'must not be below 0').optional(),
  drain: z.number().min(0, 'must not be below 0').optional(),
  workers: positiveInteger.optional(),
  'log-level': z.enum(['debug', 'info', 'warn', 'silent']).optional(),
  limits: limits.optional(),
});

/** The name of the bundled proxy as a subject. */
export const bundledName = 'bundled';

const subjectName = z
  .string()
  .min(1)
  .refine((name) => name !== bundledName, 'is the name of the bundled proxy: choose another name');

/** Exported for its JSON schema. */
export const config = z.strictObject({
  $schema: z.string().optional().describe('The JSON schema of this file, for editors.'),
  subjects: z
    .record(subjectName, subjectConfig)
    .optional()
    .describe('Proxies to check, by the name that `check --subject` takes.'),
  clients: z
    .record(z.string().min(1), clientConfig)
    .optional()
    .describe('Clients to check, by the name that `check --client` takes.'),
  proxy: proxy.optional().describe('Options of `codex-parity proxy`.'),
});

export type Config = z.infer<typeof config>;

/**
 * Reads the configuration of a folder; empty when the folder has no file.
 *
 * @throws ParityError `usage` with the file, the line and the key, or `file-unreadable`.
 */
export function readConfig(folder: string): Config {
  const [misnamed] = filesIn(folder, [misnamedFile]);
  const [path, another] = filesIn(folder, configFiles);
  if (misnamed !== undefined)
    throw new ParityError('usage', `${misnamed} is not read: rename it to ${configFiles[1]}`);
  if (path === undefined) return {};
  if (another !== undefined)
    throw new ParityError('usage', `both ${path} and ${another} exist: keep one of them`);
  return parseConfig(readYaml(path), path);
}

/** Parses a configuration. Throws ParityError `usage`. */
export function parseConfig(text: string, path: string): Config {
  return parseYaml(config, text, path).data;
}

/** The path of the JSON schema from the folder of a project in which the package is installed. */
const installedSchema = './node_modules/codex-parity/docs/config.schema.json';

/** The text of a first configuration file, as YAML. Throws ParityError `usage` if the subject is not valid. */
export function configText(name: string, subject: SubjectConfig): string {
  const yaml = stringify({ subjects: { [name]: subject } }, { lineWidth: 0 });
  parseConfig(yaml, 'the new configuration');
  return `# yaml-language-server: $schema=${installedSchema}\n${yaml}`;
}
