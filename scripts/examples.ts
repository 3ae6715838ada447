// Runs the examples: installs each proxy or client from its registry into a temporary folder, and checks it with its configuration.
// An example works if every scenario was played and reached the simulated backend. What it sends is its own affair.
//
// Usage: npm run examples -- [NAME…]
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { z } from 'zod';

const repository = join(import.meta.dirname, '..');
const folder = join(repository, 'examples');

const examples = z
  .record(
    z.string(),
    z.strictObject({
      /** Packages to install with pip, which needs Python 3.13 or later. */
      pip: z.array(z.string()).default([]),
      npm: z.array(z.string()).default([]),
      /** Whether it is a client, and not a proxy. */
      client: z.boolean().default(false),
      /** Options of `codex-parity check`. */
      check: z.array(z.string()),
    }),
  )
  .parse(JSON.parse(readFileSync(join(folder, 'examples.json'), 'utf8')));

const report = z.object({
  scenarios: z.array(
    z.object({
      scenario: z.string(),
      verdict: z.object({ type: z.string(), reason: z.string().optional() }),
      findings: z.array(z.object({ cause: z.object({ type: z.string() }).optional() })),
    }),
  ),
});

type Example = (typeof examples)[string];

function main(): number {
  const names = process.argv.slice(2);
  const unknown = names.find((name) => !Object.hasOwn(examples, name));
  if (unknown !== undefined) {
    console.error(`unknown example "${unknown}": choose from ${Object.keys(examples).join(', ')}`);
    return 2;
  }
  const chosen = Object.entries(examples).filter(([name]) => names.length === 0 || names.includes(name));
  const problems = chosen.flatMap(([name, example]) =>
    run(name, example).map((problem) => `${name}: ${problem}`),
  );
  for (const problem of problems) console.error(problem);
  console.log(
    `${chosen.length - new Set(problems.map((text) => text.split(':')[0])).size} of ${chosen.length} examples work`,
  );
  return problems.length === 0 ? 0 : 1;
}

/** Runs an example. Returns what is wrong with it. */
function run(name: string, example: Example): string[] {
  const work = mkdtempSync(join(tmpdir(), `codex-parity-example-`));
  try {
    console.log(`${name}: installing ${[...example.pip, ...example.npm].join(', ')}`);
    const path = [...install(example, work), dirname(process.execPath), process.env.PATH].join(delimiter);
    const [kind, place] = example.client ? ['--client', join(folder, 'clients')] : ['--subject', folder];
    cpSync(join(place, name), work, { recursive: true });
    const command = [join(repository, 'src/cli/main.ts'), 'check', kind, name, ...example.check];
    const { status, stderr } = spawnSync(
      process.execPath,
      [...command, '--timeout', '90', '--report', 'text=report.txt', '--report', 'json=report.json'],
      { cwd: work, env: { ...process.env, PATH: path }, encoding: 'utf8' },
    );
    if (status !== 0 && status !== 1) return [`exit code ${status}: ${stderr.trim().split('\n').at(-1)}`];
    const { scenarios } = report.parse(JSON.parse(readFileSync(join(work, 'report.json'), 'utf8')));
    console.log(readFileSync(join(work, 'report.txt'), 'utf8').split('\n').slice(0, 40).join('\n'));
    return scenarios.flatMap(({ scenario, verdict, findings }) => {
      if (verdict.type === 'failed' || verdict.type === 'not checked')
        return [`${scenario}: ${verdict.type}: ${verdict.reason}`];
      const unreached = findings.some(({ cause }) => cause?.type === 'nothing upstream');
      return unreached ? [`${scenario}: no request reached the simulated backend`] : [];
    });
  } finally {
    rmSync(work, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Installs the packages of an example. Returns the folders of their programs. */
function install({ pip, npm }: Example, work: string): string[] {
  const bins: string[] = [];
  if (pip.length > 0) {
    const environment = join(work, 'python');
    execFileSync(python(), ['-m', 'venv', environment], { stdio: 'inherit' });
    execFileSync(join(environment, 'bin', 'pip'), ['install', '--quiet', ...pip], { stdio: 'inherit' });
    bins.push(join(environment, 'bin'));
  }
  if (npm.length > 0) {
    writeFileSync(join(work, 'package.json'), '{"private":true}');
    const options = ['--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];
    execFileSync('npm', ['install', ...options, ...npm], { cwd: work, stdio: 'inherit' });
    bins.push(join(work, 'node_modules', '.bin'), ...platformFolders(work));
  }
  return bins;
}

/**
 * The folders of programs that are in a package of their platform: the packages `bun` and `opencode-ai` would link them with a
 * script that does not run here.
 */
function platformFolders(work: string): string[] {
  const modules = join(work, 'node_modules');
  const packages = readdirSync(modules).flatMap((name) =>
    name === '@oven' ? readdirSync(join(modules, name)).map((inner) => join(name, inner)) : [name],
  );
  return packages.flatMap((name) =>
    ['bun', 'opencode'].flatMap((program) => {
      const bin = join(modules, name, 'bin');
      if (!name.includes(process.platform) || !existsSync(join(bin, program))) return [];
      chmodSync(join(bin, program), 0o755);
      rmSync(join(modules, '.bin', program), { force: true });
      return [bin];
    }),
  );
}

/** A Python of version 3.13 or later. */
function python(): string {
  const versions = join(homedir(), '.pyenv', 'versions');
  const installed = existsSync(versions)
    ? readdirSync(versions).map((name) => join(versions, name, 'bin', 'python'))
    : [];
  const isNew = 'import sys; sys.exit(sys.version_info < (3, 13))';
  const found = [process.env.PYTHON ?? 'python3', 'python3.14', 'python3.13', ...installed].find(
    (candidate) => spawnSync(candidate, ['-c', isNew]).status === 0,
  );
  if (found !== undefined) return found;
  throw new Error('the examples need Python 3.13 or later: install it, or name it in the variable PYTHON');
}

process.exitCode = main();
