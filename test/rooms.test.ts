import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const repository = join(import.meta.dirname, '..');
const source = join(repository, 'src');

/** A table of docs/design.md: for each row, the names that its files may import from. */
type ImportTable = ReadonlyMap<string, ReadonlySet<string>>;

const rooms = readTable(/^\| `(\w+)\/` *\|[^|]*\|([^|]*)\|$/gm);
const folders = new Map(
  ['golden', 'proxy'].map((room) => [
    room,
    readTable(new RegExp(`^\\| \`${room}/([\\w-]+)/\` *\\|[^|]*\\|([^|]*)\\|$`, 'gm')),
  ]),
);

describe('docs/design.md', () => {
  it('names every room', () => {
    expect([...rooms.keys()].sort()).toEqual(directoriesBelow(source));
  });

  it.each([...folders.keys()])('names every folder of %s', (room) => {
    expect([...tableOf(room).keys()].sort()).toEqual(directoriesBelow(join(source, room)));
  });

  it.each([...folders.keys()])('lets folders of %s import only from rows above them', (room) => {
    const names = [...tableOf(room).keys()];
    for (const [index, name] of names.entries()) {
      expect(
        [name, ...(tableOf(room).get(name) ?? [])].filter((other) => names.indexOf(other) > index),
      ).toEqual([]);
    }
  });
});

// Files directly in src/ belong to no room and may import from all of them.
it.each(filesBelow(source, 2))('src/%s imports only from the rooms that it may', (file) => {
  const [room = ''] = file.split('/');
  const others = importsOf(file)
    .filter((path) => path.includes('/'))
    .map((path) => path.split('/')[0] ?? '');
  expect(others.filter((other) => other !== room && rooms.get(room)?.has(other) !== true)).toEqual([]);
});

// Files directly in a room belong to none of its folders, and all of these may import from them.
it.each([...folders.keys()].flatMap((room) => filesBelow(join(source, room), 2).map((file) => [room, file])))(
  'src/%s/%s imports only from the folders that it may',
  (room, file) => {
    const [folder = ''] = file.split('/');
    const others = importsOf(`${room}/${file}`)
      .map((path) => path.split('/'))
      .filter((path) => path[0] === room && path.length > 2)
      .map((path) => path[1] ?? '');
    const allowed = tableOf(room).get(folder);
    expect(others.filter((other) => other !== folder && allowed?.has(other) !== true)).toEqual([]);
  },
);

it('has no circular imports', () => {
  expect(findCycles()).toEqual([]);
});

it('exports each type name from one file only', () => {
  const files = new Map<string, string[]>();
  for (const file of filesBelow(source)) {
    const text = readFileSync(join(source, file), 'utf8');
    for (const [, name = ''] of text.matchAll(/^export (?:type|interface|(?:abstract )?class) (\w+)/gm)) {
      files.set(name, [...(files.get(name) ?? []), file]);
    }
  }
  expect([...files].filter(([, exporters]) => exporters.length > 1)).toEqual([]);
});

/** Paths of source files, relative to `folder`, that have at least so many parts. */
function filesBelow(folder: string, parts = 1): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => /\.tsx?$/.test(file) && file.split('/').length >= parts)
    .sort();
}

/** What a file of the source imports from other files of it. Imports of types count too. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(source, file), 'utf8');
  return [...text.matchAll(/(?:from|import\(?) ?'(\.[^']+)'/g)].map(([, path = '']) =>
    relative(source, resolve(source, dirname(file), path)).replaceAll('\\', '/'),
  );
}

/** Reads the rows that match: the first group is the name, the second the list of allowed imports. */
function readTable(row: RegExp): ImportTable {
  const document = readFileSync(join(repository, 'docs', 'design.md'), 'utf8');
  const rows = [...document.matchAll(row)];
  const names = rows.map(([, name = '']) => name);
  return new Map(
    rows.map(([, name = '', cell = ''], index) => {
      const list = cell.trim();
      if (list === 'all') return [name, new Set(names)];
      if (list === 'all above') return [name, new Set(names.slice(0, index))];
      return [name, new Set(list === '–' ? [] : list.split(', '))];
    }),
  );
}

function tableOf(room: string): ImportTable {
  return folders.get(room) ?? new Map();
}

function directoriesBelow(path: string): string[] {
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

/** Each cycle as the files on it, such as `a.ts → b.ts → a.ts`. */
function findCycles(): string[] {
  const cycles: string[] = [];
  const finished = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
    if (path.includes(file) || finished.has(file)) return;
    for (const next of importsOf(file)) visit(next, [...path, file]);
    finished.add(file);
  };
  for (const file of filesBelow(source)) visit(file, []);
  return cycles;
}
