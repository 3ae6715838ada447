const definitions = {
  requests_total: ['counter', 'Requests by route.'],
  refusals_total: ['counter', 'Requests that the proxy itself refused, by code.'],
  turns_total: ['counter', 'Turns of clients other than the official one, by their last event.'],
  upstream_connections_total: ['counter', 'Upstream connections opened, by transport.'],
  upstream_refusals_total: ['counter', 'Upgrades that the backend refused, by status.'],
  tunnels_total: ['counter', 'Upgrades and requests of official clients that are tunnelled.'],
  reconnects_total: ['counter', 'Upstream connections replaced within a turn.'],
  http_retries_total: ['counter', 'Requests over HTTP retried within a turn.'],
  http_fallbacks_total: ['counter', 'Sessions that changed to HTTP.'],
  state_failures_total: [
    'counter',
    'Uses of the shared state that failed, or were left out while it was away.',
  ],
  state_away: ['gauge', 'Whether the shared state is away.'],
  worker_restarts_total: ['counter', 'Workers that ended and were started again.'],
  sessions: ['gauge', 'Sessions remembered.'],
  request_bytes: ['gauge', 'Bytes of requests that are read and served.'],
  clients: ['gauge', 'Connections of clients.'],
  running_turns: ['gauge', 'Requests being served.'],
} as const satisfies Record<string, readonly ['counter' | 'gauge', string]>;

export type MetricName = keyof typeof definitions;

/** All series, as values: the name, and the count for each label. */
export type MetricsSnapshot = readonly (readonly [MetricName, readonly (readonly [string, number])[]])[];

/** The most labels of a series. Some come from the backend. All others are counted together. */
const maximumLabels = 100;

/** Counts events, and prints the counts in the text format of Prometheus. */
export class Metrics {
  readonly #series = new Map<MetricName, Map<string, number>>();

  /** Adds to a series. `label` is its one label as `name=value`, if it has one. */
  add(name: MetricName, by = 1, label = ''): void {
    const values = this.#series.get(name) ?? new Map<string, number>();
    const known = label === '' || values.has(label) || values.size < maximumLabels;
    const counted = known ? label.slice(0, 80) : label.replace(/=.*/, '=other');
    this.#series.set(name, values.set(counted, (values.get(counted) ?? 0) + by));
  }

  set(name: MetricName, value: number): void {
    this.add(name, value - this.value(name));
  }

  value(name: MetricName, label = ''): number {
    return this.#series.get(name)?.get(label) ?? 0;
  }

  snapshot(): MetricsSnapshot {
    return [...this.#series].map(([name, values]) => [name, [...values]]);
  }

  /** Adds the series of another process. */
  addAll(snapshot: MetricsSnapshot): void {
    for (const [name, values] of snapshot) for (const [label, value] of values) this.add(name, value, label);
  }

  /** Adds the counters of another process, which stay when it has ended. */
  addCounters(snapshot: MetricsSnapshot): void {
    this.addAll(snapshot.filter(([name]) => definitions[name][0] === 'counter'));
  }

  /** All series (Prometheus text exposition format 0.0.4). */
  print(): string {
    return [...this.#series]
      .map(([name, values]) => {
        const [type, help] = definitions[name];
        const fullName = `codex_parity_proxy_${name}`;
        const lines = [...values].map(([label, value]) => `${fullName}${printLabel(label)} ${value}\n`);
        return `# HELP ${fullName} ${help}\n# TYPE ${fullName} ${type}\n${lines.join('')}`;
      })
      .join('');
  }
}

/** A value contains nothing that must be escaped. */
function printLabel(label: string): string {
  const [name, value] = label.split('=');
  return value === undefined ? '' : `{${name}="${value.replaceAll(/[^\w.:-]/g, '_')}"}`;
}
