import { join } from 'node:path';
import { startBackend } from '../../src/backend/backend.ts';
import { type ClientEnvironment, makeEnvironment } from '../../src/client/official/environment.ts';
import { bundledGoldens, versionNamed } from '../../src/golden/select.ts';
import { lineLogger } from '../../src/proxy/log.ts';
import { startProxy } from '../../src/proxy/server.ts';
import { loadProxySetup } from '../../src/proxy/setup.ts';
import { replyOfModel } from './model.ts';

/** The bundled proxy in front of the strict simulated backend, for one client. */
export type Stage = {
  readonly environment: ClientEnvironment;
  /** `http://127.0.0.1:PORT` of the proxy. */
  readonly origin: string;
  /** The same for a proxy whose sign-in has no websockets, so that all its requests reach the backend over HTTP. */
  readonly originWithoutWebSockets: string;
  readonly backendPort: number;
  /** What the backend refused or did not understand, in order. */
  readonly refusals: readonly string[];
  /** How many requests for responses reached the backend, prewarms not included. */
  readonly requests: () => number;
  close(): Promise<void>;
};

/** @param root an empty folder for the sign-in of the proxy, and for the client */
export async function openStage(root: string): Promise<Stage> {
  const environment = await makeEnvironment(root, 0);
  const refusals: string[] = [];
  let requests = 0;
  const backend = await startBackend({
    script: [],
    strict: true,
    replyTo: replyOfModel,
    onEvent: (event) => {
      if (event.type === 'create' && !event.prewarm) requests += 1;
      if (event.type === 'refused') refusals.push(`${event.transport}: ${event.message}`);
      if (event.type === 'not-understood') refusals.push(`${event.transport}: ${event.reason}`);
    },
  });
  const setup = await loadProxySetup({
    goldens: [bundledGoldens],
    codex: versionNamed([bundledGoldens], 'latest'),
    auth: join(environment.codexHome, 'auth.json'),
    tokenUrl: new URL('/oauth/token', backend.origin),
  });
  const { signIn } = setup.options;
  const options = {
    ...setup.options,
    upstream: new URL('/backend-api/codex', backend.origin),
    port: 0,
    log: lineLogger(() => {}),
  };
  const proxy = await startProxy(options);
  const overHttp = await startProxy({
    ...options,
    signIn: async (session) => ({ ...(await signIn(session)), websockets: false }),
  });
  return {
    environment,
    origin: `http://127.0.0.1:${proxy.port}`,
    originWithoutWebSockets: `http://127.0.0.1:${overHttp.port}`,
    backendPort: backend.port,
    refusals,
    requests: () => requests,
    close: async () => {
      await proxy.close();
      await overHttp.close();
      await backend.close();
    },
  };
}
