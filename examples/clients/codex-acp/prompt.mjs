// Sends one prompt to an agent that speaks the Agent Client Protocol (JSON-RPC, a message per line), and prints its answer:
// node prompt.mjs PROMPT COMMAND…
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const [prompt, program, ...options] = process.argv.slice(2);
const agent = spawn(program, options, { stdio: ['pipe', 'pipe', 'inherit'] });
const send = (message) => agent.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const pending = new Map();
let last = 0;

/** Sends a request, and returns its result. */
function request(method, params) {
  last += 1;
  send({ id: last, method, params });
  return new Promise((resolve, reject) => pending.set(last, { resolve, reject }));
}

createInterface({ input: agent.stdout }).on('line', (line) => {
  const { id, method, params, result, error } = JSON.parse(line);
  if (method === 'session/update') process.stdout.write(params.update.content?.text ?? '');
  // The agent asks whether it may run a command.
  if (method === 'session/request_permission')
    send({ id, result: { outcome: { outcome: 'selected', optionId: params.options[0].optionId } } });
  if (method !== undefined) return;
  if (error === undefined) pending.get(id)?.resolve(result);
  else pending.get(id)?.reject(new Error(error.message));
});

await request('initialize', { protocolVersion: 1, clientCapabilities: {} });
const { sessionId } = await request('session/new', { cwd: process.cwd(), mcpServers: [] });
await request('session/prompt', { sessionId, prompt: [{ type: 'text', text: prompt }] });
// The agent has processes of its own: they end with the group of this one.
process.exit();
