import { getLocal } from 'mockttp';

/** mockttp as a plain reverse proxy to the port of the first argument. It records no traffic. */
const target = `127.0.0.1:${process.argv[2]}`;
const server = getLocal({ recordTraffic: false });
await server.start();
await server.forAnyWebSocket().thenForwardTo(`ws://${target}`);
await server.forUnmatchedRequest().thenForwardTo(`http://${target}`);
console.log(`listening ${server.port}`);
