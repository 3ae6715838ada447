import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { constantPlaceholders, settingPlaceholders } from '../../src/config/client-config.ts';
import { config } from '../../src/config/config.ts';
import { configFiles } from '../../src/config/config-file.ts';
import { placeholders } from '../../src/config/subject-config.ts';

const repository = join(import.meta.dirname, '..', '..');

const schema = z.toJSONSchema(config, { io: 'input', target: 'draft-7' });

/** Written by this test: `npx vitest run test/config -u`. */
it('docs/config.schema.json is the schema of the configuration file', async () => {
  const text = `${JSON.stringify({ title: configFiles.join(' or '), ...schema }, null, 2)}\n`;
  await expect(text).toMatchFileSnapshot(join(repository, 'docs', 'config.schema.json'));
});

it('docs/subjects.md has all fields and placeholders', async () => {
  const subject = part(part(schema, 'properties', 'subjects'), 'additionalProperties');
  await expectTables('subjects.md', {
    fields: fieldTable(subject),
    ready: fieldTable(part(subject, 'properties', 'ready')),
    setup: fieldTable(part(subject, 'properties', 'setup', 'items')),
    placeholders: placeholderTable(placeholders),
  });
});

it('docs/clients-under-test.md has all fields and placeholders', async () => {
  await expectTables('clients-under-test.md', {
    fields: fieldTable(part(part(schema, 'properties', 'clients'), 'additionalProperties')),
    placeholders: placeholderTable(constantPlaceholders),
    settings: placeholderTable(settingPlaceholders),
  });
});

it.each([
  ...['codex-lb', '9router', 'omp', 'cliproxyapi', 'proxy-over-tls'].map(
    (name) => ['subjects', name, name] as const,
  ),
  ...['codex', 'codex-acp', 'pi', 'opencode'].map(
    (name) => ['clients', name, join('clients', name)] as const,
  ),
])('in %s, the example %s is valid and names its schema', (section, name, folder) => {
  const text = readFileSync(join(repository, 'examples', folder, 'codex-parity.config.yaml'), 'utf8');
  expect(text).toMatch(
    /^# yaml-language-server: \$schema=\.\/node_modules\/codex-parity\/docs\/config\.schema\.json\n/,
  );
  expect(config.parse(parse(text))[section]).toHaveProperty(name);
});

/** Writes the tables of a document, each between its marks. */
async function expectTables(name: string, tables: Readonly<Record<string, string>>): Promise<void> {
  const path = join(repository, 'docs', name);
  const written = Object.entries(tables).reduce(
    (document, [mark, rows]) =>
      document.replace(
        new RegExp(`(<!-- table: ${mark} -->\n)[\\s\\S]*?(<!-- end -->)`),
        (_, start: string, end: string) => `${start}\n${rows}\n\n${end}`,
      ),
    readFileSync(path, 'utf8'),
  );
  await expect(written).toMatchFileSnapshot(path);
}

function placeholderTable(known: Readonly<Record<string, string>>): string {
  const rows = Object.entries(known).map(([name, meaning]) => [`\`{${name}}\``, meaning]);
  return table(['placeholder', 'meaning'], rows);
}

type Schema = {
  readonly required?: readonly string[] | undefined;
  readonly properties?: Readonly<Record<string, Readonly<{ description?: string }> | boolean>> | undefined;
};

/** A part of a schema. */
function part(whole: object, ...path: readonly string[]): Schema {
  let node: unknown = whole;
  for (const key of path)
    node = typeof node === 'object' && node !== null ? Reflect.get(node, key) : undefined;
  if (typeof node !== 'object' || node === null) throw new TypeError(`the schema has no ${path.join('.')}`);
  return node;
}

function fieldTable(schema: Schema): string {
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([name, field]) => [
    `\`${name}\`${required.has(name) ? ' (required)' : ''}`,
    typeof field === 'object' ? (field.description ?? '') : '',
  ]);
  return table(['field', 'meaning'], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join(
    '\n',
  );
}
