import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { config, configFiles } from '../../src/config/config.ts';
import { placeholders } from '../../src/config/subject-config.ts';

const repository = join(import.meta.dirname, '..', '..');

const schema = z.toJSONSchema(config, { io: 'input', target: 'draft-7' });

/** Written by this test: `npx vitest run test/config -u`. */
it('docs/config.schema.json is the schema of the configuration file', async () => {
  const text = `${JSON.stringify({ title: configFiles.join(' or '), ...schema }, null, 2)}\n`;
  await expect(text).toMatchFileSnapshot(join(repository, 'docs', 'config.schema.json'));
});

it('docs/subjects.md has all fields and placeholders', async () => {
  const path = join(repository, 'docs', 'subjects.md');
  const text = readFileSync(path, 'utf8');
  const subject = part(part(schema, 'properties', 'subjects'), 'additionalProperties');
  const tables = {
    fields: fieldTable(subject),
    ready: fieldTable(part(subject, 'properties', 'ready')),
    setup: fieldTable(part(subject, 'properties', 'setup', 'items')),
    placeholders: table(
      ['placeholder', 'meaning'],
      Object.entries(placeholders).map(([name, meaning]) => [`\`{${name}}\``, meaning]),
    ),
  };
  const written = Object.entries(tables).reduce(
    (document, [name, rows]) =>
      document.replace(
        new RegExp(`(<!-- table: ${name} -->\n)[\\s\\S]*?(<!-- end -->)`),
        (_, start: string, end: string) => `${start}\n${rows}\n\n${end}`,
      ),
    text,
  );
  await expect(written).toMatchFileSnapshot(path);
});

it.each(['codex-lb', '9router', 'omp', 'cliproxyapi'])(
  'the example %s is valid and names its schema',
  (name) => {
    const text = readFileSync(join(repository, 'examples', name, 'codex-parity.config.yaml'), 'utf8');
    expect(text).toMatch(
      /^# yaml-language-server: \$schema=\.\/node_modules\/codex-parity\/docs\/config\.schema\.json\n/,
    );
    expect(config.parse(parse(text)).subjects).toHaveProperty(name);
  },
);

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
