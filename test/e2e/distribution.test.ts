import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { runInGroup } from '../../src/client/process-group.ts';
import { repository } from './cli.ts';

const root = mkdtempSync(join(tmpdir(), 'codex-parity-distribution-'));
/** The folders of the Dockerfile. */
const folders: Readonly<Record<string, string>> = {
  '/build': join(root, 'build'),
  '/package': join(root, 'package'),
  '/work': join(root, 'work'),
};
const env = {
  ...(process.env as Record<string, string>),
  PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
  npm_config_prefix: join(root, 'global'),
};

beforeAll(() => {
  for (const folder of Object.values(folders)) mkdirSync(folder);
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: repository, encoding: 'utf8' }).split('\0');
  for (const file of files.filter((name) => name !== ''))
    cpSync(join(repository, file), join(root, 'build', file));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Runs a line in a shell. */
async function shell(line: string, cwd: string, variables: Readonly<Record<string, string>> = {}) {
  return runInGroup(['bash', '-e', '-o', 'pipefail', '-c', line], { cwd, env: { ...env, ...variables } });
}

/** The text with the folders of this test in the place of those of the image. */
function mapped(text: string): string {
  return Object.entries(folders).reduce(
    (line, [path, folder]) => line.replaceAll(new RegExp(`(?<![\\w.])${path}\\b`, 'g'), folder),
    text,
  );
}

/** The lines that ran in the checkout. Those that the action begins with too are not run again: they take half a minute. */
const built: string[] = [];

/** Both install all packages. */
const installing = { timeout: 400_000 };

it('builds a command line by the steps of the Dockerfile', installing, async () => {
  let cwd = root;
  for (const line of readFileSync(join(repository, 'Dockerfile'), 'utf8').split('\n')) {
    const [, instruction, rest = ''] = /^(RUN|WORKDIR|ENTRYPOINT) (.*)$/.exec(line) ?? [];
    if (instruction === 'WORKDIR') cwd = mapped(rest);
    if (instruction === 'RUN') {
      expect(await shell(mapped(rest), cwd)).toMatchObject({ exitCode: 0 });
      if (cwd === folders['/build']) built.push(rest);
    }
    if (instruction !== 'ENTRYPOINT') continue;
    const [program = ''] = z.array(z.string()).parse(JSON.parse(rest));
    const { stdout, exitCode } = await shell(
      `${join(root, 'global', 'bin', program)} check --codex latest --scenario default --report html=report.html`,
      cwd,
    );
    expect(stdout).toContain('parity');
    expect(exitCode).toBe(0);
    // The page is built with the package.
    expect(readFileSync(join(cwd, 'report.html'), 'utf8')).toContain('"headline":"Parity in 1 scenario"');
  }
});

const action = z
  .object({
    inputs: z.record(z.string(), z.object({ default: z.string().optional() })),
    runs: z.object({
      steps: z.array(
        z.object({ run: z.string().optional(), env: z.record(z.string(), z.string()).optional() }),
      ),
    }),
  })
  .parse(parse(readFileSync(join(repository, 'action.yml'), 'utf8')));

it('checks the bundled proxy by the steps of the action', installing, async () => {
  const given: Readonly<Record<string, string>> = {
    subject: 'bundled',
    arguments: '--scenario default,fast',
  };
  const value = (text: string) =>
    text.replaceAll(
      /\$\{\{ inputs\.([\w-]+) \}\}/g,
      (_, name: string) => given[name] ?? action.inputs[name]?.default ?? '',
    );
  const outputs: string[] = [];
  for (const { run, env: variables = {} } of action.runs.steps) {
    if (run === undefined) continue;
    const filled = Object.fromEntries(Object.entries(variables).map(([name, text]) => [name, value(text)]));
    const remaining = run.split(' && ').filter((command) => !built.includes(command));
    const { stdout, exitCode, stderr } = await shell(remaining.join(' && '), join(root, 'work'), {
      ...filled,
      GITHUB_ACTION_PATH: join(root, 'build'),
    });
    expect({ exitCode, stderr: exitCode === 0 ? '' : stderr }).toEqual({ exitCode: 0, stderr: '' });
    outputs.push(stdout);
  }
  expect(outputs.join('\n')).toContain('::notice title=codex-parity::bundled: parity');
  expect(readFileSync(join(root, 'work/.codex-parity/junit.xml'), 'utf8')).toContain('failures="0"');
});

it('has an example workflow that gives the action only inputs that it has', () => {
  const workflow = z
    .object({
      jobs: z.object({
        check: z.object({
          steps: z.array(
            z.object({ uses: z.string().optional(), with: z.record(z.string(), z.string()).optional() }),
          ),
        }),
      }),
    })
    .parse(parse(readFileSync(join(repository, 'examples/workflow.yml'), 'utf8')));
  const own = workflow.jobs.check.steps.find(({ uses }) => uses?.includes('/codex-parity@'));
  expect(Object.keys(own?.with ?? {}).length).toBeGreaterThan(0);
  for (const name of Object.keys(own?.with ?? {})) expect(action.inputs).toHaveProperty(name);
});
