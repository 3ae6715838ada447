import type { FrameData, PageData, SharedText, TrafficData, TrafficVariant } from './model.ts';
import { visible } from './visible.ts';

/** Reads the data that is embedded in the page. */
export function readPage(): PageData {
  const { shared, ...page } = readElement('page-data') as PageData;
  return { ...mapTexts(page), shared };
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
function mapTexts<T>(value: T): T;
function mapTexts(value: unknown): unknown {
  if (typeof value === 'string') return visible(value);
  if (Array.isArray(value)) return value.map((item: unknown) => mapTexts(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTexts(item)]));
}

/** Puts shared texts together, each once. */
export class SharedReader {
  readonly #shared: readonly SharedText[];
  readonly #known = new Map<number, string>();

  constructor(shared: readonly SharedText[]) {
    this.#shared = shared;
  }

  text(parts: SharedText | undefined): string | undefined {
    return parts?.map((part) => (typeof part === 'string' ? part : this.#at(part))).join('');
  }

  #at(index: number): string {
    const known = this.#known.get(index);
    if (known !== undefined) return known;
    const text = this.text(this.#shared[index]) ?? '';
    this.#known.set(index, text);
    return text;
  }
}

/** The frame of a track, if it has one. */
export function frameOf(variant: TrafficVariant, track: number, index: number): FrameData | undefined {
  return index < 0 ? undefined : variant.tracks[track]?.frames[index];
}
