import { type JsonNode, printJson } from '../wire/json.ts';
import { jsonText } from './escape.ts';
import { hasParity, type Report } from './report.ts';
import { wordsOf } from './text.ts';

/** For programs: findings as data, and in words. The schema is docs/report.schema.json. */
export function jsonReport(report: Report): string {
  const { scenarios, ...run } = report;
  const document = {
    format: 'codex-parity/report',
    version: 2,
    parity: hasParity(report),
    ...run,
    scenarios: scenarios.map(({ findings, ...scenario }) => ({
      ...scenario,
      findings: findings.map((finding) => ({ ...finding, words: wordsOf(finding) })),
    })),
  };
  return jsonText(document, asJsonText);
}

/** JSON nodes become their JSON text, so that spelling, key order and duplicate keys survive. */
function asJsonText(_key: string, value: unknown): unknown {
  return isNode(value) ? printJson(value) : value;
}

const nodeKinds: ReadonlySet<unknown> = new Set<JsonNode['kind']>([
  'literal',
  'number',
  'string',
  'array',
  'object',
]);

function isNode(value: unknown): value is JsonNode {
  return typeof value === 'object' && value !== null && 'kind' in value && nodeKinds.has(value.kind);
}
