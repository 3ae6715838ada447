/**
 * Members of a request that the backend refuses by name (`Unsupported parameter: …`), and why nothing is lost without
 * them, or what is. They are left out and named in the answer's header `x-codex-parity-dropped`.
 */
export const droppedMembers: ReadonlyMap<string, string> = new Map([
  ['temperature', 'the backend decides how it samples'],
  ['top_p', 'the backend decides how it samples'],
  ['presence_penalty', 'the backend decides how it samples'],
  ['frequency_penalty', 'the backend decides how it samples'],
  ['seed', 'the backend decides how it samples'],
  ['top_logprobs', 'the backend gives no log probabilities'],
  ['max_output_tokens', 'the backend has a limit of its own'],
  ['max_completion_tokens', 'the backend has a limit of its own'],
  ['max_tokens', 'the backend has a limit of its own'],
  ['max_tool_calls', 'the backend has a limit of its own'],
  ['metadata', 'the backend keeps no responses that could carry it'],
  ['background', 'the backend keeps no responses that could be fetched later'],
  ['conversation', 'the backend keeps no conversations; the id becomes the session'],
  ['user', 'the sign-in names the user'],
  ['safety_identifier', 'the sign-in names the user'],
  ['prompt_cache_retention', 'the backend decides how long it caches'],
  ['prompt_cache_options', 'the backend decides how long it caches'],
  ['truncation', 'the backend truncates nothing'],
  ['stream_options', 'the stream is as the backend makes it'],
]);

/** The answer's header that names what was left out, separated by commas. */
export const droppedHeader = 'x-codex-parity-dropped';
