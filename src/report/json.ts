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
      ...scenario,
      findings: findings.map((finding) => ({
        code: codeOf(finding),
        severity: severityOf(finding),
        ...finding,
        words: wordsOf(finding),
      })),
    })),
  };
  return jsonText(document, asJsonText);
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
