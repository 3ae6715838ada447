import { empty, type HttpResponse, json } from './http-response.ts';
import { parseObject } from './json-object.ts';

/**
 * The least that is a valid MCP server over streamable HTTP: it initialises, and has no tools. With a 404 in its place
 * the client logs a rpcError MCP start-up.
 *
 * @see https://modelcontextprotocol.io/specification/2025-06-18/basic/transports#streamable-http
 */
export function mcpResponse(body: string): HttpResponse {
  const message = parseObject(body);
  if (message === undefined) return rpcError(null, -32700, 'Parse error');
  const { id, method } = message;
  // A notification has no id, and is only acknowledged.
  if (id === undefined) return empty(202);
  if (method === 'initialize') return result(id, initialised(message.params));
  if (method === 'tools/list') return result(id, { tools: [] });
  if (method === 'ping') return result(id, {});
  return rpcError(id, -32601, 'Method not found');
}

function initialised(params: unknown) {
  const wanted =
    typeof params === 'object' && params !== null && 'protocolVersion' in params
      ? params.protocolVersion
      : undefined;
  return {
    protocolVersion: typeof wanted === 'string' ? wanted : '2025-06-18',
    capabilities: { tools: {} },
    serverInfo: { name: 'simulated-backend', version: '1' },
  };
}

function result(id: unknown, value: unknown): HttpResponse {
  return json(200, { jsonrpc: '2.0', id, result: value });
}

function rpcError(id: unknown, code: number, message: string): HttpResponse {
  return json(200, { jsonrpc: '2.0', id, error: { code, message } });
}
