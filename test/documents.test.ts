import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';

const repository = join(import.meta.dirname, '..');

const documents = ['.', 'docs', 'docs/decisions', '.github'].flatMap((folder) =>
  readdirSync(join(repository, folder))
    .filter((file) => file.endsWith('.md'))
    .map((file) => join(folder, file)),
);

it.each(documents)('%s names only files that exist', (document) => {
  const paths = [
    ...read(document).matchAll(/`((?:src|test|bench|scripts|fixtures|traces|docs)\/[\w./-]+)`/g),
  ];
  const links = [...read(document).matchAll(/\]\((?!https?:|#)([^)#]+)/g)];
  const named = [
    ...paths.map(([, path = '']) => path),
    ...links.map(([, path = '']) => join(dirname(document), path)),
  ];
  expect(named.filter((path) => !existsSync(join(repository, path)))).toEqual([]);
});

/** Code that a document quotes, each time behind a line that ends with the path of the file. */
const quotes = documents.flatMap((document) =>
  [...read(document).matchAll(/`([\w./-]+)`:\n\n```\w+\n([^`]*)```/g)].map(
    ([, file = '', code = '']) => [document, file, code] as const,
  ),
);

it.each(quotes)('%s quotes %s as it is', (_, file, code) => {
  expect(withoutSpace(read(file))).toContain(withoutSpace(code));
});

function read(path: string): string {
  return readFileSync(join(repository, path), 'utf8');
}

/** Quotes are indented otherwise. */
function withoutSpace(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}
