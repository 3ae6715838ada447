import { codeOf } from '../diff/cause-code.ts';
import { type Cause, reportCauses } from '../diff/report-causes.ts';
import { severityOf } from '../diff/severity.ts';
import { type JsonNode, printJson } from '../wire/json.ts';
import { type CauseWords, causeWriter } from './cause-words.ts';
import { jsonText } from './escape.ts';
import { hasParity, passes, type Report } from './report.ts';
import { wordsOf } from './text.ts';

/** For programs: causes and findings as data, and in words. The schema is docs/report.schema.json. */
export function jsonReport(report: Report): string {
  const { scenarios, ...run } = report;
  const words = causeWriter(report);
  const document = {
    format: 'codex-parity/report',
    version: 3,
    parity: hasParity(report),
    passed: passes(report),
    ...run,
    causes: reportCauses(scenarios).map((cause) => causeDocument(cause, words(cause))),
    scenarios: scenarios.map(({ findings, traffic: _, ...scenario }) => ({
      ...withJsonTexts(scenario),
      findings: findings.map((finding) => ({
        code: codeOf(finding),
        severity: severityOf(finding),
        ...withJsonTexts(finding),
        words: wordsOf(finding),
      })),
    })),
  };
  return jsonText(document);
}

/** A cause, with the places of each scenario. */
function causeDocument({ example: _, cells, ...cause }: Cause, words: CauseWords) {
  return {
    ...cause,
    words,
    cells: cells.map(({ findings, ...cell }) => ({
      ...cell,
      places: findings.flatMap(({ places }) => places),
    })),
  };
}

/**
 * JSON nodes become their JSON text, so that spelling, key order and duplicate keys survive. A replacer of JSON.stringify
 * takes longer, since it is called for every place too.
 */
function withJsonTexts(value: object): object {
  const entries = Object.entries(value).map(([key, inner]) => [
    key,
    key === 'places' ? inner : asJsonText(inner),
  ]);
  return Object.fromEntries(entries);
}

function asJsonText(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (isNode(value)) return printJson(value);
  return Array.isArray(value) ? value.map(asJsonText) : withJsonTexts(value);
}

const nodeKinds: ReadonlySet<unknown> = new Set<JsonNode['kind']>([
  'literal',
  'number',
  'string',
  'array',
  'object',
]);

function isNode(value: object): value is JsonNode {
  return 'kind' in value && nodeKinds.has(value.kind);
}
