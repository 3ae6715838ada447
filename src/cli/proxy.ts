import type { CommandModule } from 'yargs';
import { ParityError } from '../errors.ts';
import { loadShape } from '../proxy/load.ts';
import { startProxy } from '../proxy/server.ts';
import { defaultAuthFile, readSignIn } from '../proxy/sign-in.ts';
import type { CommandContext } from './context.ts';
import { goldenFolder, newestVersion, selectGoldens } from './goldens.ts';
import { progress } from './progress.ts';

type Options = { port: number; upstream: string; auth: string; codex: string | undefined; goldens: string };

export function proxyCommand({ signal }: CommandContext): CommandModule<object, Options> {
  return {
    command: 'proxy',
    describe: 'Run a Codex proxy on loopback whose requests have the shape of a golden',
    builder: (yargs) =>
      yargs
        .option('port', { type: 'number', default: 8320, describe: 'Port to listen on, at 127.0.0.1' })
        .option('upstream', {
          type: 'string',
          default: 'https://chatgpt.com/backend-api/codex',
          describe: 'Base URL of the backend',
        })
        .option('auth', {
          type: 'string',
          default: defaultAuthFile(process.env),
          defaultDescription: '$CODEX_HOME/auth.json or ~/.codex/auth.json',
          describe: 'The ChatGPT sign-in to use, as "codex login" writes it',
        })
        .option('codex', {
          type: 'string',
          describe: 'Version of the official client to speak like',
          defaultDescription: 'the newest that has goldens',
        })
        .option('goldens', {
          type: 'string',
          default: goldenFolder,
          defaultDescription: 'those that come along',
          describe: 'Folder of the goldens',
        })
        .example('$0 proxy', 'listen on port 8320 with your own sign-in')
        .example(
          `codex -c 'openai_base_url="http://127.0.0.1:8320/backend-api/codex"'`,
          'point the official client at it',
        ),
    handler: async ({ port, upstream, auth, codex, goldens }) => {
      const version = codex ?? newestVersion(goldens);
      selectGoldens(goldens, [version], undefined);
      const shape = await loadShape(goldens, version);
      if (!/^https?:\/\//.test(upstream) || !URL.canParse(upstream)) {
        throw new ParityError('usage', `--upstream "${upstream}" must be an http or https URL`);
      }
      // Read once before anyone connects: a sign-in that is missing is better told now.
      readSignIn(auth);
      const proxy = await startProxy({
        shape,
        signIn: () => readSignIn(auth),
        upstream: new URL(upstream),
        port,
        log: progress,
      });
      progress(`speaking like codex ${version} to ${upstream}`);
      progress(`listening on http://127.0.0.1:${proxy.port}/backend-api/codex`);
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      await proxy.close();
    },
  };
}
