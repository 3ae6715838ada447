import type { CommandModule } from 'yargs';
import { type Backend, startBackend } from '../backend/backend.ts';
import type { Faults } from '../backend/faults.ts';
import { startReplayBackend } from '../backend/replay-backend.ts';
import type { ScriptedReply } from '../backend/reply.ts';
import type { BackendObservation } from '../backend/respond.ts';
import { ParityError } from '../errors.ts';
import { loadScenario } from '../scenario/scenario.ts';
import { defaultAuthorityFolder, openCertificateAuthority } from '../tap/certificate-authority.ts';
import { startInterceptingTap } from '../tap/intercept.ts';
import type { CommandContext } from './command-context.ts';
import { type FaultOptions, faultHelp, faultOptions, readFaults } from './fault-options.ts';
import { examples } from './help.ts';
import { type GoldensOption, goldenNames, goldensOption, mustBePort } from './options.ts';
import { progress } from './progress.ts';
import { readRecording } from './read-recording.ts';

type BackendCommandOptions = GoldensOption &
  FaultOptions & {
    port: number;
    scenario: string | undefined;
    replay: string | undefined;
    strict: boolean | undefined;
    tls: boolean;
  };

/** What the backend replies to every request if it plays no scenario. */
const defaultReply: ScriptedReply = { reply: 'text', text: 'Hello from the simulated Codex backend.' };

export function backendCommand({ signal }: CommandContext): CommandModule<object, BackendCommandOptions> {
  return {
    command: 'backend',
    describe: 'Run a simulated Codex backend, for any client or proxy',
    builder: (yargs) =>
      yargs
        .usage(
          '$0 backend [options]\n\n' +
            'Serves the Responses API over websocket and HTTP, and everything else that the official client requests, without an ' +
            'account. When it prints "listening on", it is ready. Stop it with SIGINT (Ctrl-C), SIGTERM or SIGHUP.',
        )
        .option('port', { requiresArg: true, type: 'number', default: 8330, describe: 'Port to listen on' })
        .option('scenario', {
          type: 'string',
          describe:
            'Play the replies of this scenario, again and again; its faults happen once [default: a text]',
        })
        .option('replay', {
          type: 'string',
          conflicts: ['scenario', 'strict'],
          describe: `Respond as in this recording, again and again, with new ids: a trace, or ${goldenNames}`,
        })
        .option('goldens', goldensOption())
        .options(faultOptions)
        .option('strict', {
          type: 'boolean',
          // A default would conflict with --replay.
          describe: 'Refuse what the real backend is reported to refuse',
        })
        .option('tls', {
          type: 'boolean',
          default: false,
          describe: 'Also run an HTTPS proxy that plays chatgpt.com and auth.openai.com',
        })
        .epilogue(
          `${faultHelp('backend')}\n\n${examples([
            ['Respond to every request with a text', 'codex-parity backend'],
            ['Reply with a tool call, then with a text', 'codex-parity backend --scenario tool-turn'],
            ['Respond as in a session that you recorded', 'codex-parity backend --replay live.trace.jsonl'],
            [
              'Reset the connection before the end of the first response, and refuse the next upgrade',
              'codex-parity backend --fault reset@response.completed --fault status:503@upgrade:2',
            ],
            [
              'Use it with a program of your own',
              'OPENAI_BASE_URL=http://127.0.0.1:8330/v1 OPENAI_API_KEY=any your-program',
            ],
          ])}`,
        ),
    handler: async ({ port, scenario, replay, strict = false, tls, goldens, ...options }) => {
      mustBePort('port', port);
      const { faults, vary } = readFaults(options, 'backend');
      const early = tls ? undefined : faults.find(({ place }) => place.at === 'handshake');
      if (early !== undefined)
        throw new ParityError('usage', `fault "${early.text}": only --tls has handshakes`);
      const { script, faults: own = {} } = scripted(scenario);
      const all = { ...own, wire: [...(own.wire ?? []), ...faults] };
      const backend =
        replay === undefined
          ? await startBackend({ script, faults: all, vary, port, strict, repeats: true, onEvent: report })
          : await startReplayBackend({ golden: readRecording(replay, goldens), port, faults, vary });
      const close = [backend.close];
      try {
        for (const line of clientsOf(backend)) progress(line);
        if (tls) {
          const authority = await openCertificateAuthority(defaultAuthorityFolder());
          const tap = await startInterceptingTap({
            authority,
            upstream: {
              kind: 'fixed',
              host: '127.0.0.1',
              port: backend.port,
              tls: false,
              http2: backend.http2,
            },
            observe: () => {},
            failHandshake: backend.failHandshake,
          });
          close.push(tap.close);
          progress(
            `as chatgpt.com: HTTPS_PROXY=${tap.url} CODEX_CA_CERTIFICATE=${authority.certificatePath} codex exec "hello"`,
          );
        }
        progress(`listening on ${backend.origin}`);
        await new Promise<void>((aborted) =>
          signal.addEventListener('abort', () => aborted(), { once: true }),
        );
      } finally {
        for (const one of close.reverse()) await one();
      }
    },
  };
}

function scripted(name: string | undefined): { script: readonly ScriptedReply[]; faults?: Faults } {
  if (name === undefined) return { script: [defaultReply] };
  const { backend, faults } = loadScenario(name);
  return { script: backend, ...(faults === undefined ? {} : { faults }) };
}

/** How to point a client at the backend, a line for each. */
function clientsOf({ origin }: Pick<Backend, 'origin'>): string[] {
  return [
    `official client: codex -c 'openai_base_url="${origin}/backend-api/codex"' exec "hello"`,
    `OpenAI's library: OPENAI_BASE_URL=${origin}/v1 OPENAI_API_KEY=any your-program`,
    `a proxy: its upstream is ${origin}/backend-api/codex`,
  ];
}

/** Prints what happens, without anything that may be secret. */
function report(event: BackendObservation): void {
  switch (event.type) {
    case 'upgrade':
      progress('websocket opened');
      break;
    case 'create':
      progress(`request over ${event.transport}${event.prewarm ? ', a prewarm' : ''}`);
      break;
    case 'request':
      if (event.status >= 400) progress(`${event.method} ${pathOf(event.target)}: ${event.status}`);
      break;
    case 'unrouted':
      progress(`nothing is served at ${event.method} ${pathOf(event.target)}`);
      break;
    case 'not-understood':
      progress(`not understood over ${event.transport}: ${event.reason}`);
      break;
    case 'refused':
      progress(`refused over ${event.transport}: ${event.message}`);
      break;
    case 'script-exhausted':
      progress('the scenario has no reply for this request');
      break;
  }
}

/** Without the query, which may hold a key. */
function pathOf(target: string): string {
  return target.replace(/\?.*$/s, '');
}
