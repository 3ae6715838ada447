import type { HeaderList } from './headers.ts';
import { UndecodableError } from './undecodable.ts';

/** The size of the dynamic table that both sides begin with (RFC 9113, section 6.5.2). */
export const initialTableSize = 4096;

/** The largest dynamic table that is kept. */
const largestTable = 64 * 1024;

/** The most characters of one block of headers. A block of 64 KiB can name far more: each byte can repeat a long header. */
const longestHeaders = 256 * 1024;

/** What each entry of a dynamic table counts besides its name and value (RFC 7541, section 4.1). */
const entryOverhead = 32;

type Entry = HeaderList[number];

/**
 * Decodes the header blocks of one direction of an HTTP/2 connection (HPACK, RFC 7541), in their order. Throws
 * UndecodableError; after that the table is not that of the sender any more, and no further block can be decoded.
 */
export class HpackDecoder {
  /** The newest entry first. */
  readonly #table: Entry[] = [];
  #size = 0;
  #limit = initialTableSize;
  #allowed = initialTableSize;

  /** Call with the table size that the receiver announces in its SETTINGS. The sender decides when to use it. */
  allow(size: number): void {
    this.#allowed = size;
  }

  /** The headers of a whole block, pseudo-headers included: in wire order, names as sent. */
  decode(block: Buffer): HeaderList {
    const reader = new BlockReader(block);
    const headers: Entry[] = [];
    let characters = 0;
    while (!reader.atEnd) {
      const header = this.#next(reader);
      if (header === null) continue;
      headers.push(header);
      characters += header[0].length + header[1].length;
      if (characters > longestHeaders) throw new UndecodableError('headers longer than 256 KiB');
    }
    return headers;
  }

  /** The next header; null for a change of the table's size (RFC 7541, section 6). */
  #next(reader: BlockReader): Entry | null {
    const first = reader.peek();
    if (first >= 0x80) return this.#entry(reader.integer(7));
    if (first >= 0x40) {
      const header = this.#literal(reader, 6);
      this.#add(header);
      return header;
    }
    if (first < 0x20) return this.#literal(reader, 4);
    const limit = reader.integer(5);
    if (limit > this.#allowed) throw new UndecodableError('an HPACK table larger than allowed');
    if (limit > largestTable) throw new UndecodableError('an HPACK table larger than 64 KiB');
    this.#limit = limit;
    this.#evict();
    return null;
  }

  #literal(reader: BlockReader, prefix: number): Entry {
    const index = reader.integer(prefix);
    const name = index === 0 ? reader.string() : this.#entry(index)[0];
    return [name, reader.string()];
  }

  #entry(index: number): Entry {
    const entry = staticTable[index - 1] ?? this.#table[index - 1 - staticTable.length];
    if (entry === undefined) throw new UndecodableError('an HPACK index without an entry');
    return entry;
  }

  #add(entry: Entry): void {
    this.#table.unshift(entry);
    this.#size += sizeOf(entry);
    this.#evict();
  }

  #evict(): void {
    while (this.#size > this.#limit) {
      const oldest = this.#table.pop();
      if (oldest === undefined) return;
      this.#size -= sizeOf(oldest);
    }
  }
}

function sizeOf([name, value]: Entry): number {
  return name.length + value.length + entryOverhead;
}

/** Reads integers and strings (RFC 7541, section 5). */
class BlockReader {
  readonly #block: Buffer;
  #at = 0;

  constructor(block: Buffer) {
    this.#block = block;
  }

  get atEnd(): boolean {
    return this.#at >= this.#block.length;
  }

  peek(): number {
    const byte = this.#block[this.#at];
    if (byte === undefined) throw new UndecodableError('an HPACK block that ends too early');
    return byte;
  }

  /** An integer whose first byte has this many bits for it. */
  integer(prefix: number): number {
    const most = 2 ** prefix - 1;
    let value = this.#byte() & most;
    if (value < most) return value;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if (value > 0xffff_ffff || factor > 2 ** 28) throw new UndecodableError('an HPACK integer above 2^32');
      if (byte < 0x80) return value;
    }
  }

  /** Latin1 keeps every byte of a value. */
  string(): string {
    const coded = this.peek() >= 0x80;
    const length = this.integer(7);
    const bytes = this.#block.subarray(this.#at, this.#at + length);
    if (bytes.length < length) throw new UndecodableError('an HPACK block that ends too early');
    this.#at += length;
    return (coded ? fromHuffman(bytes) : bytes).toString('latin1');
  }

  #byte(): number {
    const byte = this.peek();
    this.#at += 1;
    return byte;
  }
}

/** Decodes Huffman-coded bytes, bit by bit: the code is canonical, so the lengths alone say where each begins. */
function fromHuffman(bytes: Buffer): Buffer {
  const decoded: number[] = [];
  let code = 0;
  let length = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit -= 1) {
      code = code * 2 + ((byte >> bit) & 1);
      length += 1;
      const { first, symbols } = huffmanCodes[length] ?? { first: 0, symbols: [] };
      const symbol = symbols[code - first];
      if (symbol === undefined) continue;
      if (symbol === endOfString) throw new UndecodableError('an HPACK string with an end in it');
      decoded.push(symbol);
      code = 0;
      length = 0;
    }
  }
  // Padding is the beginning of the code for the end of the string: ones only (RFC 7541, section 5.2).
  if (length > 7 || code !== 2 ** length - 1) throw new UndecodableError('an HPACK string that is cut off');
  return Buffer.from(decoded);
}

const endOfString = 256;

/** How many bits the code of each byte has, and of the end of a string (RFC 7541, appendix B). */
const huffmanLengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28,
  28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7,
  8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19,
  13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13,
  28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21,
  22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23,
  22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25,
  25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

/** By the length of a code: the first code of that length, and the bytes of it and of those that follow. */
const huffmanCodes = canonicalCodes(huffmanLengths);

function canonicalCodes(lengths: readonly number[]): { first: number; symbols: number[] }[] {
  const longest = Math.max(...lengths);
  let next = 0;
  return Array.from({ length: longest + 1 }, (_, length) => {
    const symbols = [...lengths.keys()].filter((symbol) => lengths[symbol] === length);
    const first = next * 2;
    next = first + symbols.length;
    return { first, symbols };
  });
}

/** RFC 7541, appendix A. */
const staticTable: readonly Entry[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ...[
    ...['accept-language', 'accept-ranges', 'accept', 'access-control-allow-origin', 'age', 'allow'],
    ...['authorization', 'cache-control', 'content-disposition', 'content-encoding', 'content-language'],
    ...['content-length', 'content-location', 'content-range', 'content-type', 'cookie', 'date', 'etag'],
    ...['expect', 'expires', 'from', 'host', 'if-match', 'if-modified-since', 'if-none-match', 'if-range'],
    ...['if-unmodified-since', 'last-modified', 'link', 'location', 'max-forwards', 'proxy-authenticate'],
    ...['proxy-authorization', 'range', 'referer', 'refresh', 'retry-after', 'server', 'set-cookie'],
    ...['strict-transport-security', 'transfer-encoding', 'user-agent', 'vary', 'via', 'www-authenticate'],
  ].map((name): Entry => [name, '']),
];
