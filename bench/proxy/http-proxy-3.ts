import { Agent, createServer } from 'node:http';
import { createProxyServer } from 'http-proxy-3';
import { listenLocally } from '../../src/listening.ts';

/** http-proxy-3 as a plain reverse proxy to the port of the first argument, with keep-alive connections. */
const proxy = createProxyServer({
  target: `http://127.0.0.1:${process.argv[2]}`,
  agent: new Agent({ keepAlive: true }),
  ws: true,
});
proxy.on('error', () => {});
const server = createServer((request, response) => proxy.web(request, response));
server.on('upgrade', (request, socket, head) => proxy.ws(request, socket, head));
console.log(`listening ${await listenLocally(server)}`);
