import type { Steps } from './conversation.ts';

/** Finds the first step of a type from a position on; positions must not fall. Each step is looked at once. */
export function nextByType(steps: Steps): (type: string | undefined, from: number) => number | undefined {
  const waiting = new Map<string | undefined, { positions: number[]; first: number }>();
  let seen = 0;
  return (type, from) => {
    seen = Math.max(seen, from);
    const queue = waiting.get(type) ?? { positions: [], first: 0 };
    while (queue.first < queue.positions.length && (queue.positions[queue.first] ?? 0) < from)
      queue.first += 1;
    const waited = queue.positions[queue.first];
    if (waited !== undefined) return waited;
    while (seen < steps.length) {
      const at = seen;
      const found = steps.type(at);
      seen += 1;
      if (found === type) return at;
      const others = waiting.get(found);
      if (others === undefined) waiting.set(found, { positions: [at], first: 0 });
      else others.positions.push(at);
    }
    return undefined;
  };
}
