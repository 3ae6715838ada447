/** The three questions of a check. */
export const comparisons = ['parity', 'request neutrality', 'response neutrality'] as const;
export type Comparison = (typeof comparisons)[number];
