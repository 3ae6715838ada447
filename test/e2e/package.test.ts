import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runInGroup } from '../../src/client/process-group.ts';
import { reportFormats } from '../../src/report/write.ts';
import { cli, repository } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

describe('the bin', () => {
  const bin = join(repository, 'bin', 'codex-parity.cjs');

  it.each(['v8.17.0', 'v20.20.2', 'v22.20.0'])('reports Node %s as too old in one line', async (version) => {
    const pretend = `Object.defineProperty(process.versions, 'node', { value: '${version.slice(1)}' }); require('${bin}')`;
    const { exitCode, stderr, stdout } = await runInGroup([process.execPath, '-e', pretend], {
      cwd: repository,
      env: {},
    });
    expect(stderr).toBe(
      `codex-parity: Node 22.21.0 or later is needed, and this is ${version.slice(1)}: install a newer Node\n`,
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  });

  it.each(['codex-parity.cjs', 'node-problem.cjs'])('%s has no syntax newer than ES5', (file) => {
    const code = readFileSync(join(repository, 'bin', file), 'utf8').replaceAll(
      /^\s*\/\/.*$|\/\*[\s\S]*?\*\//gm,
      '',
    );
    expect(code).not.toMatch(/=>|`|\b(?:const|let|class|import|async|await)\b|\?\?|\?\.|\.\.\./);
  });
});

const helps = new Map<string, ReturnType<typeof cli>>();

/** What `COMMAND --help` prints, of one process for each command. */
function helpOf(command: string): ReturnType<typeof cli> {
  const help = helps.get(command) ?? cli([command, '--help']);
  helps.set(command, help);
  return help;
}

it.concurrent.each([
  'record',
  'check',
  'diff',
  'show',
  'drift',
  'watch',
  'explain',
  'proxy',
  'bench-tier',
  'init',
  'import',
  'export',
])('prints an example in the help of %s', async (command) => {
  const { exitCode, stdout } = await helpOf(command);
  expect(stdout).toContain('Examples:');
  expect(stdout).toMatch(new RegExp(`codex-parity ${command}`));
  // All defaults are printed alike.
  expect(stdout).not.toContain('[default: "');
  expect(exitCode).toBe(0);
});

it.concurrent.each(['check', 'merge-reports'])(
  'lists all report formats in the help of %s',
  async (command) => {
    const { stdout } = await helpOf(command);
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(`the formats ${reportFormats.join(', ')};`);
  },
);

it('prints the help of a command with help COMMAND', async () => {
  const [help, option] = [await cli(['help', 'export']), await helpOf('export')];
  expect(help).toEqual({ ...option, exitCode: 0 });
  expect(help.stdout).toContain('codex-parity export');
});

it('prints the state of the installation with doctor', async () => {
  const { stdout } = await runInProcess(['doctor']);
  expect(stdout).toMatch(/^ok +node +v/m);
  expect(stdout).toMatch(/^ok +goldens +\d+ goldens of codex 0\.118\.0, .*, 0\.171\.0$/m);
  expect(stdout).toMatch(/official clients/);
  expect(stdout).toMatch(/certificate authority/);
  expect(stdout).toMatch(/registry +https?:/);
});

it.each(['traces/0.169.0/chatgpt/fast.golden.jsonl', '0.169.0/fast', '0.169.0/chatgpt/fast'])(
  'prints the golden %s in readable form',
  async (name) => {
    const { stdout } = await runInProcess(['show', name]);
    expect(stdout).toContain('golden: codex 0.169.0, lane chatgpt, scenario fast, learned from 3 runs');
    expect(stdout).toMatch(/\{\{session_id\}\} +a UUID of version 7/);
    expect(stdout).toContain('  session-id: {{session_id}}');
    expect(stdout).toContain('"service_tier": "priority"');
  },
);
