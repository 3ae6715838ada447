import type { Recipient, ScriptedReply } from './reply.ts';

/** The replies of one run. All connections share them, and each is used once. */
export type Script = {
  /** Removes and returns the next reply for a recipient; undefined when none is left. */
  next(recipient: Recipient): ScriptedReply | undefined;
  /** How many replies were used so far. */
  served(): number;
  /** How many requests came when no reply was left for them. */
  missed(): number;
  /** How many replies there are, used or not. */
  readonly length: number;
};

export function startScript(replies: readonly ScriptedReply[]): Script {
  const left = [...replies];
  let missed = 0;
  return {
    next: (recipient) => {
      const index = left.findIndex(({ to }) => to === undefined || to === recipient);
      if (index >= 0) return left.splice(index, 1)[0];
      missed += 1;
      return undefined;
    },
    served: () => replies.length - left.length,
    missed: () => missed,
    length: replies.length,
  };
}
