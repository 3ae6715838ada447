/**
 * Members of a request that the backend refuses by name (`Unsupported parameter: …`), each with the reason why dropping
 * it loses nothing, or what it loses. The response header `x-codex-parity-dropped` names the dropped members.
 */
export const unsupportedParams: ReadonlyMap<string, string> = new Map([
  ['temperature', 'the backend chooses its own sampling'],
  ['top_p', 'the backend chooses its own sampling'],
  ['presence_penalty', 'the backend chooses its own sampling'],
  ['frequency_penalty', 'the backend chooses its own sampling'],
  ['seed', 'the backend chooses its own sampling'],
  ['top_logprobs', 'the backend returns no log probabilities'],
  ['max_output_tokens', 'the backend has its own limit'],
  ['max_completion_tokens', 'the backend has its own limit'],
  ['max_tokens', 'the backend has its own limit'],
  ['max_tool_calls', 'the backend has its own limit'],
  ['metadata', 'the backend stores no responses that could carry it'],
  ['background', 'the backend stores no responses to fetch later'],
  ['conversation', 'the backend stores no conversations; the id becomes the session'],
  ['user', 'the sign-in identifies the user'],
  ['safety_identifier', 'the sign-in identifies the user'],
  ['prompt_cache_retention', 'the backend decides how long it caches'],
  ['prompt_cache_options', 'the backend decides how long it caches'],
  ['truncation', 'the backend never truncates'],
  ['stream_options', 'the backend has one form of stream'],
]);
