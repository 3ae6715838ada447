/**
 * How the client signs in and is pointed at the backend: a ChatGPT sign-in or an API key, straight to the official
 * hosts; or a ChatGPT sign-in through a proxy, by `openai_base_url`, by a provider of the name OpenAI, or by a provider
 * of another name. What the client says differs from lane to lane, so each has goldens of its own.
 */
export const lanes = ['chatgpt', 'api-key', 'base-url', 'provider-openai', 'provider'] as const;
export type Lane = (typeof lanes)[number];

/** A lane in which the client is given the URL of a proxy. */
export type PointedLane = Exclude<Lane, 'chatgpt' | 'api-key'>;

export function isPointed(lane: Lane): lane is PointedLane {
  return lane !== 'chatgpt' && lane !== 'api-key';
}
