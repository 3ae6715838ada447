import { jsonMark, sharedMark, unorderedMark } from './golden.ts';

/** How the pattern objects of a golden begin, as they are printed. */
export const unorderedStart = Buffer.from(`{"${unorderedMark}":true`);
export const jsonStart = Buffer.from(`{"${jsonMark}":`);
export const sharedStart = Buffer.from(`{"${sharedMark}":`);
