import { ParityError } from '../../errors.ts';

/** Whether all values are the same one. */
export function allEqual(values: readonly unknown[]): boolean {
  return values.every((value) => value === values[0]);
}

/** Rows as columns. Throws ParityError `runs-disagree` if the rows have different lengths; `what` names the length. */
export function transpose<T>(rows: readonly (readonly T[])[], what: string): T[][] {
  const lengths = rows.map((row) => row.length);
  if (!allEqual(lengths)) {
    throw new ParityError('runs-disagree', `${what} differs between recordings (${lengths.join(', ')})`);
  }
  return Array.from({ length: lengths[0] ?? 0 }, (_, index) =>
    rows.flatMap((row) => row.slice(index, index + 1)),
  );
}

/** The error for recordings that differ in a way that no pattern can express, at `path` within `location`. */
export function runsDisagree(location: string, path: readonly string[], problem: string): ParityError {
  return new ParityError('runs-disagree', `${location}: ${path.join('.') || 'the message'} ${problem}`);
}
