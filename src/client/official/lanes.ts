/**
 * How the client signs in and reaches the backend, and what distinguishes each lane:
 *
 * - `chatgpt`, `api-key`: a ChatGPT sign-in or an API key, straight to the official hosts.
 * - `free-plan`, `business-plan`, `fedramp`: as `chatgpt`, with a plan or an account whose requests differ.
 * - `base-url`, `provider-openai`, `provider`: a ChatGPT sign-in through a proxy, configured with `openai_base_url`, with
 *   a provider named OpenAI, or with a provider of another name.
 *
 * The requests of the client differ between lanes, so each lane has its own goldens.
 */
const pointedLanes = ['base-url', 'provider-openai', 'provider'] as const;
export const lanes = [
  'chatgpt',
  'api-key',
  'free-plan',
  'business-plan',
  'fedramp',
  ...pointedLanes,
] as const;
export type Lane = (typeof lanes)[number];

/** A lane in which the client is configured with the URL of a proxy. */
export type PointedLane = (typeof pointedLanes)[number];

export function isPointed(lane: Lane): lane is PointedLane {
  return pointedLanes.some((pointed) => pointed === lane);
}
