import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { authJson, madeUpSignIn } from '../../src/client/official/made-up-sign-in.ts';
import { cli, repository, temporaryFolder } from './cli.ts';

/**
 * Prints the modules of Node that the process has loaded, the URLs of others, and which functions it has called that need rules of
 * languages, when it ends.
 */
const lister = `
import { registerHooks } from 'node:module';
const urls = [];
registerHooks({ load(url, context, next) { urls.push(url); return next(url, context); } });
const called = [];
const note = (prototype, name) => {
  const original = prototype[name];
  prototype[name] = function (...args) { called.push(name); return original.apply(this, args); };
};
note(String.prototype, 'localeCompare');
note(Intl.Segmenter.prototype, 'segment');
process.once('exit', () => console.log(JSON.stringify({ builtin: process.moduleLoadList, urls, called })));
`;

/** Starts a program, stops it when it listens, and returns what it has loaded and called. */
async function loadedModules(args: readonly string[], config?: object) {
  const folder = temporaryFolder();
  const account = { accountId: 'acct-1', userId: 'user-1', email: 'a@example.com', plan: 'pro' } as const;
  writeFileSync(join(folder, 'auth.json'), authJson(madeUpSignIn(account)));
  if (config !== undefined) writeFileSync(join(folder, 'codex-parity.config.json'), JSON.stringify(config));
  const { stdout } = await cli(args, {
    cwd: folder,
    env: { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(lister)}` },
    onStderr: (text, child) => {
      if (text.includes('listening on')) child.kill('SIGINT');
    },
  });
  const { builtin, urls, called }: Record<'builtin' | 'urls' | 'called', readonly string[]> = JSON.parse(
    stdout.trim().split('\n').at(-1) ?? '',
  );
  const { dependencies } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'));
  return {
    called,
    sources: urls.flatMap((url) => url.split(`${repository}/src/`)[1] ?? []),
    builtin: builtin.map((name) => name.replace('NativeModule ', '')),
    dependencies: Object.keys(dependencies).filter((name) =>
      urls.some((url) => url.includes(`/node_modules/${name}/`)),
    ),
  };
}

const proxy = ['proxy', '--port', '0', '--auth', 'auth.json'];
const watch = ['watch', '--listen', '0', '--page', '0'];

// Each of these takes megabytes of a process that may run for months.
it.each([
  { args: proxy, needed: ['pino', 'ws', 'yargs'], unused: /^proxy\/state\/redis|^cli\/proxy-workers/ },
  { args: watch, needed: ['yargs'], unused: /^proxy\// },
])('starts $args.0 without what it does not need', async ({ args, needed, unused }) => {
  const { builtin, dependencies, called, sources } = await loadedModules(args);
  expect(dependencies).toEqual(needed);
  expect(builtin).toContain('net');
  expect(builtin).not.toContain('internal/deps/undici/undici');
  expect(builtin).not.toContain('http2');
  expect(sources.filter((file) => unused.test(file))).toEqual([]);
  expect(called).toEqual([]);
});

it('records a command without the scenarios of goldens', async () => {
  const { sources } = await loadedModules(['record', '--', 'true']);
  expect(sources).toContain('record/record-live.ts');
  expect(sources.filter((file) => /^(?:scenario|backend)\//.test(file))).toEqual([]);
});

// A check may play hundreds of scenarios, but most users and tests play few.
it('checks a program without the proxy, other drivers and other reports', async () => {
  const subject = { command: ['node', '-e', 'process.exit(1)'] };
  const { sources } = await loadedModules(
    ['check', '--subject', 'mine', '--codex', 'latest', '--scenario', 'fast'],
    { subjects: { mine: subject } },
  );
  expect(sources).toContain('check/start-subject.ts');
  const unused =
    /^proxy\/(?!log\.ts)|^client\/openai\/run-sdk|\/run-client|\/check-client|faults\/run-|^report\/(?:ctrf|github|html|junit)/;
  expect(sources.filter((file) => unused.test(file))).toEqual([]);
});

it('loads what a configuration file of the proxy needs', async () => {
  const { dependencies } = await loadedModules(proxy, { proxy: { grace: 5 } });
  expect(dependencies).toEqual(['pino', 'ws', 'yaml', 'yargs', 'zod']);
});
