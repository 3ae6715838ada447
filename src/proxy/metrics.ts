type Sort = 'counter' | 'gauge';

type Series = { readonly help: string; readonly sort: Sort; readonly values: Map<string, number> };

/** What is counted: the name of each series, its labels, and what it tells. */
const known = {
  requests_total: ['counter', 'Requests by surface.'],
  refusals_total: ['counter', 'Requests that the proxy itself refused, by code.'],
  turns_total: ['counter', 'Turns of clients that the proxy speaks for, by how they ended.'],
  upstream_connections_total: ['counter', 'Upstream connections that were opened, by transport.'],
  upstream_refusals_total: ['counter', 'Upgrades that the backend refused, by status.'],
  reconnects_total: ['counter', 'Upstream connections that were replaced within a turn.'],
  http_retries_total: ['counter', 'Requests over HTTP that were repeated within a turn.'],
  http_fallbacks_total: ['counter', 'Sessions that went over to HTTP.'],
  sessions: ['gauge', 'Sessions that are remembered.'],
  clients: ['gauge', 'Connections of clients.'],
  running_turns: ['gauge', 'Requests that are being served.'],
} as const satisfies Record<string, readonly [Sort, string]>;

export type MetricName = keyof typeof known;

/** Counts, and tells the counts in the text format of Prometheus. */
export class Metrics {
  readonly #series = new Map<MetricName, Series>();

  /** Adds to a series, under the value of its one label where it has one. */
  add(name: MetricName, by = 1, label = ''): void {
    const [sort, help] = known[name];
    const series = this.#series.get(name) ?? { help, sort, values: new Map() };
    series.values.set(label, (series.values.get(label) ?? 0) + by);
    this.#series.set(name, series);
  }

  /** Sets a series that has no label. */
  set(name: MetricName, value: number): void {
    this.add(name, value - this.value(name));
  }

  /** How much was added so far. */
  value(name: MetricName, label = ''): number {
    return this.#series.get(name)?.values.get(label) ?? 0;
  }

  /** All series (Prometheus text exposition format 0.0.4). */
  print(): string {
    return [...this.#series]
      .map(([name, { help, sort, values }]) => {
        const full = `codex_parity_proxy_${name}`;
        const lines = [...values].map(([label, value]) => `${full}${labelled(label)} ${value}\n`);
        return `# HELP ${full} ${help}\n# TYPE ${full} ${sort}\n${lines.join('')}`;
      })
      .join('');
  }
}

/** Labels are `name=value`, with values of our own choice: no quote or line end stands in them. */
function labelled(label: string): string {
  const [name, value] = label.split('=');
  return value === undefined ? '' : `{${name}="${value}"}`;
}
