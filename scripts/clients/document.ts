import type { ClientResult } from './run-client.ts';

/** The text of docs/clients.md. */
export function clientsDocument(results: readonly ClientResult[]): string {
  const rows = results.map(({ client, played, failure }) => {
    const cells = [client.name, client.version, played.join('<br>'), failure ?? 'ok'];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  });
  return `# Clients

\`npm run clients\` installs these clients from their registries, plays each one unchanged through the bundled proxy, and writes
this page. Behind the proxy is the simulated backend in its strict mode, which refuses what the real one is reported to refuse
([protocol.md](protocol.md#what-the-real-backend-is-reported-to-do)).

A client is ok if:

- all its conversations end as expected: with tools and a second turn, or with structured output, and with reasoning where the
  client asks for it;
- the last text of the simulated model, which repeats what arrived, names all prompts and tool outputs;
- the backend refused no request.

Each library plays every conversation twice: with a lite model, where the proxy uses the websocket, and with another one, where it
uses HTTP.

| client | version | conversations | result |
| ------ | ------- | ------------- | ------ |
${rows.join('\n')}
`;
}
