import { z } from 'zod';
import { fileBelow, textWith, variableName } from './texts.ts';

/** The placeholders that have a value in every scenario, and what they stand for. */
export const constantPlaceholders = {
  prompt: 'the prompt of the scenario',
  baseUrl: 'base URL of the simulated backend, such as `http://127.0.0.1:PORT/backend-api/codex`',
  origin: 'the same without a path, such as `http://127.0.0.1:PORT`',
  auth: 'a file with a made-up sign-in, in the form of `auth.json`',
  token: 'the access token of the sign-in; the API key in lane `api-key`',
  account: 'its account id',
  home: 'the home folder of the client, new for each scenario; `files` are written to it',
  codexHome:
    'the folder with `auth.json` and with a `config.toml` that has all settings of the scenario, for a client that reads them',
  model: 'the model of the scenario',
  codex: 'the version of the official client that is the model',
  scenario: 'the name of the scenario',
} as const;

/** The placeholders of settings. A word with one that has no value in a scenario is left out. */
export const settingPlaceholders = {
  tier: 'the service tier that a user sets: `fast` or `flex`',
  effort: 'the reasoning effort',
  verbosity: 'the verbosity of the model',
  webSearch: 'the mode of web search: `disabled`',
  image: 'the path of an image to send with the prompt',
  schema: 'the path of the JSON schema that the last message must follow',
} as const;

/** The placeholders in texts of a client, and what they stand for. */
export const clientPlaceholders = { ...constantPlaceholders, ...settingPlaceholders };

export type ClientPlaceholder = keyof typeof clientPlaceholders;
export type SettingPlaceholder = keyof typeof settingPlaceholders;

const filledText = textWith(clientPlaceholders);

/** A client in the configuration file: how to run it for one prompt. */
export const clientConfig = z.strictObject({
  command: z
    .array(filledText)
    .min(1, 'must name the program to start')
    .describe(
      'Program and arguments. It is started without a shell, in an empty folder, and has to end by itself. Paths of files are relative to this file.',
    ),
  env: z
    .record(variableName, filledText)
    .optional()
    .describe('Environment variables, besides those of codex-parity itself.'),
  files: z
    .record(fileBelow('{home}'), z.string())
    .optional()
    .describe('Files to write to `{home}` first: path and text. Braces without a known name stay.'),
});

export type ClientConfig = z.infer<typeof clientConfig>;
