/**
 * True when a request target carries model traffic: the responses endpoint and its compaction, under any prefix. Other
 * requests (models, settings, plugins, analytics, …) are side requests. Their number and order differ from run to run,
 * so proxies are not checked against them.
 */
export function isModelRoute(target: string): boolean {
  return /\/responses(?:\/compact)?(?:\?|$)/.test(target);
}
