import { ParityError } from '../../errors.ts';

/** Turns rows into columns; throws where the rows are not equally long. */
export function transpose<T>(rows: readonly (readonly T[])[], what: string): T[][] {
  const lengths = rows.map((row) => row.length);
  const [first = 0] = lengths;
  if (lengths.some((length) => length !== first)) {
    throw new ParityError('runs-disagree', `${what} differs between recordings (${lengths.join(', ')})`);
  }
  return Array.from({ length: first }, (_, at) => rows.flatMap((row) => row.slice(at, at + 1)));
}

/** What recordings differ in that no pattern has room for; `place` and `path` lead there. */
export function runsDisagree(place: string, path: readonly string[], what: string): ParityError {
  return new ParityError(
    'runs-disagree',
    `${place}: ${path.join('.') || 'the message'} ${what} between recordings`,
  );
}
