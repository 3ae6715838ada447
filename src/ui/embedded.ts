import type { PageData, TrafficData } from './model.ts';
import { visible } from './visible.ts';

/** Reads the data that is embedded in the page. */
export function readPage(): PageData {
  const { shared, ...page } = readElement('page-data') as PageData;
  return { ...visibleTexts(page), shared };
}

/** The traffic of a conversation; undefined if the page does not have it. */
export function readTraffic(index: number): TrafficData | undefined {
  return document.getElementById(`traffic-${index}`) === null
    ? undefined
    : (readElement(`traffic-${index}`) as TrafficData);
}

function readElement(id: string): unknown {
  return JSON.parse(document.getElementById(id)?.textContent ?? 'null');
}

/** The value with every text in it made visible. */
export function visibleTexts<T>(value: T): T;
export function visibleTexts(value: unknown): unknown {
  if (typeof value === 'string') return visible(value);
  if (Array.isArray(value)) return value.map((item: unknown) => visibleTexts(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, visibleTexts(item)]));
}
