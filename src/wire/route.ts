/**
 * Whether a request target carries model traffic: the responses endpoint and its compaction, under any prefix.
 * All else the client asks for (models, settings, plugins, analytics, …) are side requests: their number and order
 * differ from run to run, and a proxy is not judged by them.
 */
export function isModelRoute(target: string): boolean {
  return /\/responses(?:\/compact)?(?:\?|$)/.test(target);
}
