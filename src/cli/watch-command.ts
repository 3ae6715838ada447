import type { CommandModule } from 'yargs';
import { ParityError } from '../errors.ts';
import { startReverseTap } from '../tap/reverse.ts';
import type { CommandContext } from './command-context.ts';
import { examples } from './help.ts';
import { returnIdleMemory, shrinkYoungGeneration } from './idle-memory.ts';
import { type GoldensOption, goldensOption, mustBePort } from './options.ts';
import { progress } from './progress.ts';
import { parseUpstream } from './upstream.ts';
import { openWatch, type WatchViewOptions, watchViewOptions } from './watch-options.ts';

type WatchCommandOptions = GoldensOption & WatchViewOptions & { listen: number; upstream: string };

/** The official client's base URL. */
const defaultUpstream = 'https://chatgpt.com/backend-api/codex';

export function watchCommand({ signal }: CommandContext): CommandModule<object, WatchCommandOptions> {
  return {
    command: 'watch',
    describe: 'Pass a client on to its backend, and show live whether each turn is as it should be',
    builder: (yargs) =>
      yargs
        .usage(
          '$0 watch [options]\n\n' +
            'Passes on every byte between clients and a backend, and judges each turn while it happens: one line in the ' +
            'terminal, and a page for a browser on this machine with sessions, frames, and findings beside the golden. ' +
            'Is fast mode on, why did the prompt cache miss, why was the session lost? Secrets are sealed before they ' +
            'are shown. Stop it with SIGINT (Ctrl-C), SIGTERM or SIGHUP.',
        )
        .option('listen', { requiresArg: true, type: 'number', default: 8350, describe: 'Port for clients' })
        .option('upstream', {
          type: 'string',
          default: defaultUpstream,
          defaultDescription: defaultUpstream,
          describe:
            'Base URL of the backend, or of a proxy. Only scheme, host and port count: paths are passed on as they are',
        })
        .options(watchViewOptions())
        .option('goldens', goldensOption())
        .epilogue(
          `${examples([
            ['Watch the official client', 'codex-parity watch'],
            ['Use it', `codex -c 'openai_base_url="http://127.0.0.1:8350/backend-api/codex"'`],
            [
              'Watch what any client sends to your proxy, or your proxy to a backend',
              'codex-parity watch --listen 9000 --upstream http://127.0.0.1:8320',
            ],
          ])}\n\nThe bundled proxy shows the same with "codex-parity proxy --watch". A recorded session is judged by "codex-parity explain TRACE".`,
        ),
    handler: async (options) => {
      const { listen, upstream: text } = options;
      mustBePort('listen', listen);
      const upstream = parseUpstream(text);
      if (isItself(upstream, listen))
        throw new ParityError('usage', '--upstream is the port of --listen: name the backend, or a proxy');
      const tls = upstream.protocol === 'https:';
      const listenUrl = (port: number) => `http://127.0.0.1:${port}${upstream.pathname.replace(/\/$/, '')}`;
      const watch = await openWatch(options, { listen: listenUrl(listen), upstream: upstream.href });
      try {
        const tap = await startReverseTap({
          upstream: { host: upstream.hostname, port: Number(upstream.port || (tls ? 443 : 80)), tls },
          host: upstream.host,
          port: listen,
          observe: watch.observe,
          listen: watch.listen,
          onProblem: progress,
        });
        try {
          shrinkYoungGeneration();
          progress(`upstream ${upstream.href}`);
          progress(`live page ${watch.url}`);
          progress(`listening on ${listenUrl(tap.port)}`);
          returnIdleMemory();
          await new Promise<void>((aborted) =>
            signal.addEventListener('abort', () => aborted(), { once: true }),
          );
        } finally {
          await tap.close();
        }
      } finally {
        await watch.close();
      }
    },
  };
}

function isItself({ hostname, port }: URL, listen: number): boolean {
  return listen !== 0 && /^(?:localhost|127\.0\.0\.1|\[::1\])$/.test(hostname) && port === String(listen);
}
