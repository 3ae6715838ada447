import { type Connection, connections, type TierRun } from './measure-tiers.ts';
import { type Tier, tiers } from './timed-turn.ts';

/** How often each value occurred; null is an absent value. */
export type Tally = readonly { readonly value: string | null; readonly count: number }[];

/** All turns with one tier on one kind of connection. Times are in milliseconds; null if no turn was measured. */
export type TierSummary = {
  readonly tier: Tier;
  readonly connection: Connection;
  /** "websocket" or "HTTP" of every turn that was sent. */
  readonly transports: Tally;
  /** Why turns went over HTTP. */
  readonly httpCauses: Tally;
  readonly sentTiers: Tally;
  readonly sentHints: Tally;
  /** The `service_tier` of `response.completed`. It does not prove which tier served the request. */
  readonly echoed: Tally;
  readonly runs: number;
  /** The reason of each failed turn; failed turns are not part of the medians. */
  readonly failures: readonly string[];
  readonly firstTokenMs: number | null;
  readonly totalMs: number | null;
};

/** One summary for each kind of connection and tier, in the order of `connections` and `tiers`. */
export function summarise(runs: readonly TierRun[]): TierSummary[] {
  return connections.flatMap((connection) => tiers.map((tier) => summaryOf(runs, tier, connection)));
}

function summaryOf(runs: readonly TierRun[], tier: Tier, connection: Connection): TierSummary {
  const own = runs.filter((run) => run.tier === tier && run.connection === connection);
  const turns = own.map(({ turn }) => turn);
  const measured = turns.filter((turn) => turn.kind === 'measured');
  return {
    tier,
    connection,
    transports: tally(own.flatMap(({ sent }) => sent.transport ?? [])),
    httpCauses: tally(own.flatMap(({ httpCause }) => httpCause ?? [])),
    sentTiers: tally(own.flatMap(({ sent }) => sent.tiers)),
    sentHints: tally(own.flatMap(({ sent }) => sent.hints)),
    echoed: tally(measured.map(({ echoed }) => echoed)),
    runs: own.length,
    failures: turns.flatMap((turn) => (turn.kind === 'failed' ? [turn.reason] : [])),
    firstTokenMs: median(measured.map(({ firstToken }) => firstToken)),
    totalMs: median(measured.map(({ total }) => total)),
  };
}

/** The middle value, or the mean of the two middle values; null if there are none. */
export function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[Math.floor(sorted.length / 2)]];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}

/**
 * Where the tier sent is not the tier requested, one sentence each: in `service_tier` or in the routing hint of a
 * request, or because no request was seen at all. The routing hint may be absent: versions before 0.149 and clients with
 * an API key send none. Priority over HTTP is a finding too, whatever was sent: the backend honours it over the
 * websocket only.
 */
export function tierFindings(summaries: readonly TierSummary[]): string[] {
  return summaries.flatMap((summary) => {
    const { tier, connection, sentTiers, sentHints, runs, failures } = summary;
    const requested = `requested tier ${tier} on a ${connection} connection`;
    if (sentTiers.length === 0 && runs > failures.length) {
      return [`${requested}, but no request was seen upstream`];
    }
    const expected = tier === 'omitted' ? null : tier;
    const wrong = (name: string, sent: Tally, isWrong: (value: string | null) => boolean) =>
      sent
        .filter(({ value }) => isWrong(value))
        .map(
          ({ value, count }) =>
            `${requested}, but sent ${name} ${value ?? 'absent'} in ${count} of ${total(sent)} requests`,
        );
    return [
      ...wrong('service_tier', sentTiers, (value) => value !== expected),
      ...wrong('routing hint', sentHints, (value) => value !== null && tierOfHint(value) !== expected),
      ...(tier === 'priority' ? httpTurns(summary) : []).map(
        (turns) => `${requested}, but ${turns}. The backend honours priority over the websocket only`,
      ),
    ];
  });
}

/** What went over HTTP, and why, one text for each cause: "2 of 2 turns went over HTTP: …". */
export function httpTurns({ transports, httpCauses }: TierSummary): string[] {
  return httpCauses.map(
    ({ value, count }) => `${count} of ${total(transports)} turns went over HTTP: ${value}`,
  );
}

/** The tier in a routing hint: `model=M;tier=priority` (measured: codex 0.169.0, scenario fast). */
function tierOfHint(hint: string): string | null {
  return /;tier=([^;]*)/.exec(hint)?.[1] ?? null;
}

/** The number of values in a tally. */
export function total(values: Tally): number {
  return values.reduce((sum, { count }) => sum + count, 0);
}

function tally(values: readonly (string | null)[]): Tally {
  return [...new Set(values)].map((value) => ({
    value,
    count: values.filter((other) => other === value).length,
  }));
}
