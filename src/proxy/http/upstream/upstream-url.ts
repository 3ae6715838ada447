/** The paths of the responses API, below the proxy's origin. */
const responsesApi = /^\/(?:backend-api\/codex|v1)(?=\/|$)/;

/**
 * The backend's URL for a request target. Targets of the responses API are below the upstream's base; the other paths
 * of the backend are beside it. With base `…/backend-api/codex`: `/v1/responses` is `…/backend-api/codex/responses`,
 * and `/backend-api/wham/usage` is `…/backend-api/wham/usage`.
 */
export function upstreamUrl(base: URL, target: string): URL {
  const root = base.href.replace(/\/$/, '');
  if (responsesApi.test(target)) return new URL(root + target.replace(responsesApi, ''));
  return new URL(root.replace(/\/codex$/, '') + target.replace(/^\/backend-api/, ''));
}
