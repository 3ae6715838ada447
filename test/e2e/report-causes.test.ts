import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { reportSchema } from '../../src/report/report-schema.ts';
import { repository, temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

const messageProxy = 'message-proxy.ts';

/** A deliberately wrong proxy, and the line of the one cause that it must have. */
type WrongProxy = {
  readonly fault: string;
  readonly program?: string;
  readonly scenarios?: string;
  readonly code: string;
  readonly line: string;
  readonly cells?: number;
};

/** Over a websocket and over HTTP, with and without instructions, of two names of the session header. */
const sample = ['0.118.0', '0.169.0'];

const versionsOf: Readonly<Record<string, readonly string[]>> = {
  'speaks as 0.130.0': ['0.130.0', '0.169.0'],
  'loses the events from an error on': ['0.169.0'],
};

const wrongProxies: readonly WrongProxy[] = [
  {
    fault: 'renames the session header',
    code: 'session/header-renamed',
    line: '✗ session/header-renamed  session_id sent as session-id  all 4  breaks sessions and cache affinity',
  },
  {
    fault: 'drops the cache key',
    code: 'session/cache-key-missing',
    line: '✗ session/cache-key-missing  prompt_cache_key missing  all 4  every cache hit is lost',
  },
  {
    fault: 'sends the literal default tier',
    code: 'tier/literal-default',
    line: '✗ tier/literal-default  service_tier "default" sent  all 4  the backend refuses it',
  },
  {
    fault: 'adds instructions',
    code: 'content/instructions-added',
    line: '✗ content/instructions-added  instructions: "Answer in rhymes.\\n\\n" added  all 4  the model reads other instructions',
  },
  {
    fault: 'adds a header',
    code: 'shape/header-added',
    line: '~ shape/header-added  x-forwarded-for: "127.0.0.1" added  all 4  visible to the backend',
  },
  {
    fault: 'speaks as 0.130.0',
    scenarios: 'default,second-turn',
    code: 'client/other-version',
    line: '! client/other-version  the shape of another version: 0.130.0  2 of 4  shows another version',
    cells: 2,
  },
  {
    fault: 'rebuilds responses',
    scenarios: 'default,second-turn',
    code: 'response/rebuilt',
    line: '✗ response/rebuilt  the response is rebuilt instead of passed on  all 4  the client receives another response',
  },
  {
    fault: 'loses the events from an error on',
    scenarios: 'error-401,error-500,incomplete',
    code: 'response/cut-off',
    line: '✗ response/cut-off  the end of a response is lost  all 3  the client retries, or waits',
    cells: 3,
  },
  {
    fault: 'speaks HTTP',
    program: 'http-proxy.ts',
    scenarios: 'default,second-turn',
    code: 'transport/http',
    line: '✗ transport/http  HTTP instead of the websocket  all 4  no prewarm, no chaining of requests',
  },
];

it.each(wrongProxies)(
  'gives a proxy that $fault the one cause $code in every report',
  async ({ fault, program = messageProxy, scenarios = 'default,http-fallback', code, line, cells = 4 }) => {
    const versions = versionsOf[fault] ?? sample;
    const folder = temporaryFolder();
    const command = [process.execPath, join(import.meta.dirname, program), '{port}', '{upstream}', fault];
    writeFileSync(
      join(folder, 'codex-parity.config.json'),
      JSON.stringify({ subjects: { mine: { command, start: 'once' } } }),
    );
    const reports = ['json', 'junit', 'github', 'ctrf', 'html'];
    const { stdout, exitCode } = await runInProcess(
      [
        ...[
          'check',
          '--subject',
          'mine',
          '--goldens',
          join(repository, 'traces'),
          '--codex',
          versions.join(','),
        ],
        ...['--scenario', scenarios, ...reports.flatMap((format) => ['--report', `${format}=${format}`])],
      ],
      { cwd: folder },
    );
    const read = (file: string) => readFileSync(join(folder, file), 'utf8');
    expect(exitCode).toBe(1);
    expect(stdout.split('\n').filter((text) => /^[✗!~]/.test(text))).toEqual([line]);
    const { causes } = reportSchema.parse(JSON.parse(read('json')));
    expect(causes).toMatchObject([{ code }]);
    expect(causes[0]?.cells).toHaveLength(cells);
    expect(new Set(read('junit').match(/(?<=<failure message=")[^ ]+/g))).toEqual(new Set([code]));
    const annotations = read('github').trimEnd().split('\n');
    expect(
      annotations.filter((text) => !text.includes(': not checked::') && !text.includes('%3A not checked::')),
    ).toEqual([
      expect.stringMatching(new RegExp(`^::(?:error|warning|notice) title=codex-parity%3A ${code}::`)),
    ]);
    expect(new Set(read('html').match(/(?<="code":")[a-z]+\/[a-z-]+/g))).toEqual(new Set([code]));
    const { tests } = JSON.parse(read('ctrf')).results;
    expect(new Set(tests.flatMap(({ tags = [] }) => tags))).toEqual(new Set([code]));
  },
);
