import type { TurnData } from './watch-model.ts';

const size = { bar: 20, gap: 4, times: 30, space: 10, tokens: 84, most: 120 };
const height = size.times + size.space + size.tokens;

/** The tokens of each turn, with the part that came from the cache; above them, the time to its first token. */
export function TurnChart({ turns }: { readonly turns: readonly TurnData[] }) {
  const shown = turns.filter(({ tokens }) => tokens !== undefined).slice(-size.most);
  if (shown.length < 2) return null;
  const mostTokens = Math.max(1, ...shown.map(({ tokens }) => tokens?.input ?? 0));
  const mostTime = Math.max(1, ...shown.flatMap(({ firstToken }) => firstToken ?? []));
  const left = (index: number) => index * (size.bar + size.gap);
  const points = shown.flatMap(({ firstToken }, index) =>
    firstToken === undefined
      ? []
      : [{ x: left(index) + size.bar / 2, y: 3 + (1 - firstToken / mostTime) * (size.times - 6) }],
  );
  const width = shown.length * (size.bar + size.gap);
  return (
    <figure class="turn-chart">
      <svg
        viewBox={`0 0 ${width} ${height}`}
        width={width}
        height={height}
        role="img"
        aria-label={`tokens and time to the first token of the last ${shown.length} turns`}
      >
        {shown.map((turn, index) => (
          <TokenBar key={turn.id} turn={turn} x={left(index)} scale={size.tokens / mostTokens} />
        ))}
        {points.length < 2 ? null : (
          <g class="latency">
            <polyline points={points.map(({ x, y }) => `${x},${y.toFixed(1)}`).join(' ')} />
            {points.map(({ x, y }) => (
              <circle key={x} cx={x} cy={y.toFixed(1)} r={2.5} />
            ))}
          </g>
        )}
      </svg>
      <figcaption>
        {points.length < 2 ? null : (
          <span class="key latency">first token, up to {Math.round(mostTime).toLocaleString('en')} ms</span>
        )}
        <span class="key cached">input from the cache</span>
        <span class="key input">other input</span>
        <span class="key miss">a miss</span>
        <span>up to {mostTokens.toLocaleString('en')} tokens</span>
      </figcaption>
    </figure>
  );
}

type TokenBarProps = { readonly turn: TurnData; readonly x: number; readonly scale: number };

function TokenBar({ turn: { title, tokens, firstToken, parts }, x, scale }: TokenBarProps) {
  const { input = 0, cached = 0 } = tokens ?? {};
  const isMiss = parts.some(({ topic, mark }) => topic === 'cache' && mark === 'wrong');
  const bar = (kind: string, value: number) => (
    <rect class={kind} x={x} y={height - value * scale} width={size.bar} height={value * scale} />
  );
  return (
    <g class={isMiss ? 'miss' : ''}>
      <title>
        {`${title}: ${cached.toLocaleString('en')} of ${input.toLocaleString('en')} tokens from the cache` +
          (firstToken === undefined ? '' : `, first token after ${Math.round(firstToken)} ms`)}
      </title>
      {bar('input', input)}
      {bar('cached', cached)}
    </g>
  );
}
