import { z } from 'zod';
import { fileBelow, textWith, unknownPlaceholder, unknownText, variableName } from './texts.ts';

const aPath = 'must begin with a slash';
const aStatus = 'must be a status from 100 to 599';

/** The placeholders in texts of a subject, and what they stand for. */
export const placeholders = {
  port: 'the port to listen on, at 127.0.0.1',
  other_port: 'another free port, for a proxy that needs two',
  upstream: 'base URL of the simulated backend, such as `http://127.0.0.1:PORT/backend-api/codex`',
  origin: 'the same without a path, such as `http://127.0.0.1:PORT`',
  proxy: 'with `upstream: https`, the HTTP proxy that serves the official hosts',
  certificate: 'with `upstream: https`, the certificate file to trust',
  auth: 'a file with a made-up sign-in, in the form that `auth` names',
  auth_folder: 'the folder with this file, and nothing else',
  token: 'the access token of the sign-in; the API key in lane `api-key`',
  id_token: 'its id token',
  refresh_token: 'its refresh token',
  account: 'its account id',
  email: 'its e-mail address',
  folder: 'a new empty folder, which is removed when the proxy has ended; `files` are written to it',
  codex: 'the version of the official client that is checked',
  goldens: 'the folder of the golden that is checked',
} as const;

export type Placeholder = keyof typeof placeholders;

const filledText = textWith(placeholders);

/** A JSON value whose texts are filled. */
const filledValue = z.unknown().refine((value) => unknownIn(value) === undefined, {
  error: ({ input }) => `has the ${unknownText(unknownIn(input) ?? '', placeholders)}`,
});

/** A placeholder that does not exist, in any text of a JSON value. */
function unknownIn(value: unknown): string | undefined {
  if (typeof value === 'string') return unknownPlaceholder(value, placeholders);
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.values(value)
    .map(unknownIn)
    .find((name) => name !== undefined);
}

const headerName = z.string().regex(/^[\w!#$%&'*+.^`|~-]+$/, 'is not a valid name of a header');

/** When a subject is ready: when it answers `GET path`, with any status unless one is given, or prints a line. */
const ready = z
  .strictObject({
    path: z
      .string()
      .startsWith('/', aPath)
      .optional()
      .describe('It is ready when it answers `GET` of this path.'),
    status: z
      .int(aStatus)
      .min(100, aStatus)
      .max(599, aStatus)
      .optional()
      .describe('The status of the answer. Default: any status.'),
    line: z
      .string()
      .min(1, 'must not be empty')
      .refine(
        (text) => linePattern(text) !== undefined,
        'must be text, or a valid regular expression between slashes',
      )
      .optional()
      .describe(
        'It is ready when it prints a line that contains this text, or that matches a regular expression between slashes.',
      ),
    timeout: z
      .number()
      .positive('must be above 0')
      .max(86_400, 'must be at most 86400 seconds')
      .optional()
      .describe('How long to wait for that, in seconds. Default: `--timeout` of `check`.'),
  })
  .refine(
    ({ path, line, timeout }) =>
      path === undefined ? line !== undefined || timeout !== undefined : line === undefined,
    'must have either path or line',
  )
  .refine(
    ({ status, line }) => status === undefined || line === undefined,
    'has a status, which belongs to path',
  );

/** A request that sets a subject up, such as one that adds an account. */
const setupRequest = z
  .strictObject({
    method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).default('POST').describe('Its method.'),
    path: z.string().startsWith('/', aPath).describe('Its path, below the origin of the proxy.'),
    headers: z.record(headerName, filledText).optional().describe('Headers to send.'),
    json: filledValue.optional().describe('A JSON body. Its texts may have placeholders.'),
    form: z
      .record(z.string(), filledText)
      .optional()
      .describe(
        'Fields of a form (`multipart/form-data`). A text that begins with `@` is the path of a file.',
      ),
  })
  .refine(({ json, form }) => json === undefined || form === undefined, 'must not have both json and form');

export type SetupRequest = z.infer<typeof setupRequest>;

/** A subject in the configuration file: how to start a proxy, and how clients reach it. */
export const subjectConfig = z.strictObject({
  command: z
    .array(filledText)
    .min(1, 'must name the program to start')
    .describe('Program and arguments. It is started without a shell.'),
  path: z
    .string()
    .startsWith('/', aPath)
    .optional()
    .describe("Base path of the proxy's Responses API, often `/v1`. Default: `/backend-api/codex`."),
  env: z
    .record(variableName, filledText)
    .optional()
    .describe('Environment variables, besides those of codex-parity itself.'),
  cwd: filledText.optional().describe('Its working folder. Default: that of codex-parity.'),
  files: z
    .record(fileBelow('{folder}'), z.string())
    .optional()
    .describe(
      'Files to write to `{folder}` before it starts: path and text. Braces without a known name stay.',
    ),
  ready: ready
    .optional()
    .describe('When it is ready: when it answers `GET /` with any status, unless `path` or `line` is given.'),
  setup: z
    .array(setupRequest)
    .optional()
    .describe(
      'HTTP requests to send to it when it is ready, such as one that adds an account. Cookies are kept between them. With `start: once`, they are sent again before each scenario. Each must be answered with a status below 400.',
    ),
  start: z
    .enum(['per-scenario', 'once'])
    .optional()
    .describe(
      '`per-scenario` (default): it is started for each scenario, and several run at a time. `once`: it is started once, and scenarios run one after the other.',
    ),
  auth: z
    .enum(['codex', 'cliproxyapi'])
    .optional()
    .describe(
      'The form of the sign-in in `{auth}`: `codex` (default) is `auth.json` of the official client, `cliproxyapi` is the file that CLIProxyAPI keeps in its `auth-dir`.',
    ),
  upstream: z
    .enum(['http', 'https'])
    .optional()
    .describe(
      '`http` (default): the proxy takes `{upstream}` as its upstream. `https`: it reaches the official hosts through the HTTP proxy in `HTTPS_PROXY`, which is set for it together with the certificate to trust.',
    ),
  modelList: z
    .enum(['empty', 'golden'])
    .optional()
    .describe(
      'What the simulated backend lists as models. `empty` (default): nothing, so that the official client keeps the models that it knows. `golden`: the models of the golden, for a proxy that serves only what its upstream lists.',
    ),
  clientKey: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'must consist of visible ASCII characters')
    .optional()
    .describe('The API key that clients send, as `Authorization: Bearer KEY`.'),
  headers: z.record(headerName, z.string()).optional().describe('Further headers that clients send.'),
  models: z
    .record(z.string().min(1), z.string().min(1))
    .optional()
    .describe(
      'The names that clients use for models, by their official names. `*` stands for any name, as in `"*": "codex/*"`.',
    ),
});

export type SubjectConfig = z.infer<typeof subjectConfig>;

/** The pattern of `ready.line`: a text, or a regular expression between slashes; undefined if that is not valid. */
export function linePattern(text: string): RegExp | undefined {
  const [, source, flags] = /^\/(.+)\/([a-z]*)$/.exec(text) ?? [];
  try {
    return new RegExp(source ?? text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'), flags);
  } catch {
    return undefined;
  }
}
