import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { expect, it } from 'vitest';

const repository = join(import.meta.dirname, '..');
const source = join(repository, 'src');

/** The rooms of docs/design.md, each with those it may import. */
function rooms(): Map<string, ReadonlySet<string>> {
  const table = readFileSync(join(repository, 'docs', 'design.md'), 'utf8');
  const rows = [...table.matchAll(/^\| `(\w+)\/` *\|[^|]*\|([^|]*)\|$/gm)];
  const names = rows.map(([, name = '']) => name);
  return new Map(
    rows.map(([, name = '', imports = ''], at) => {
      const said = imports.trim();
      if (said === 'all above') return [name, new Set(names.slice(0, at))];
      return [name, new Set(said === 'all' ? names : said.split(', '))];
    }),
  );
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
);

it('knows every room of the source', () => {
  const found = new Set(files.filter((file) => file.includes(sep)).map((file) => file.split(sep)[0]));
  expect([...rooms().keys()].sort()).toEqual([...found].sort());
});

it.each(files.filter((file) => file.includes(sep)))('%s imports from the rooms it may', (file) => {
  const room = file.split(sep)[0] ?? '';
  const text = readFileSync(join(source, file), 'utf8');
  const imported = [...text.matchAll(/(?:from|import\(?) ?'(\.[^']+)'/g)].map(([, path = '']) =>
    relative(source, resolve(source, dirname(file), path)).split(sep),
  );
  // Errors and listening stand outside the rooms, for all.
  const others = imported.filter((path) => path.length > 1).map(([first = '']) => first);
  const allowed = rooms().get(room);
  expect(others.filter((other) => other !== room && allowed?.has(other) !== true)).toEqual([]);
});
