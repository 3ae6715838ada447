import { emptyResponse, type HttpResponse, jsonResponse } from './http-response.ts';
import { parseObject } from './json-object.ts';

/**
 * A minimal MCP server over streamable HTTP: it initialises, and has no tools. After a 404 instead, the client would
 * log a failed MCP start-up.
 *
 * @see https://modelcontextprotocol.io/specification/2025-06-18/basic/transports#streamable-http
 */
export function mcpResponse(body: string): HttpResponse {
  const message = parseObject(body);
  if (message === undefined) return rpcError(null, -32700, 'Parse error');
  const { id, method } = message;
  // A notification has no id, and gets no result.
  if (id === undefined) return emptyResponse(202);
  if (method === 'initialize') return result(id, initializeResult(message.params));
  if (method === 'tools/list') return result(id, { tools: [] });
  if (method === 'ping') return result(id, {});
  return rpcError(id, -32601, 'Method not found');
}

function initializeResult(params: unknown) {
  const requested =
    typeof params === 'object' && params !== null && 'protocolVersion' in params
      ? params.protocolVersion
      : undefined;
  return {
    protocolVersion: typeof requested === 'string' ? requested : '2025-06-18',
    capabilities: { tools: {} },
    serverInfo: { name: 'simulated-backend', version: '1' },
  };
}

function result(id: unknown, value: unknown): HttpResponse {
  return jsonResponse(200, { jsonrpc: '2.0', id, result: value });
}

function rpcError(id: unknown, code: number, message: string): HttpResponse {
  return jsonResponse(200, { jsonrpc: '2.0', id, error: { code, message } });
}
