import { expect, it } from 'vitest';
import { HpackDecoder } from '../../src/wire/hpack.ts';

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex');

// RFC 7541, appendix C.6: with Huffman coding, and a table of 256 bytes from which entries are evicted.
const responses = [
  '488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3',
  '4883640effc1c0bf',
  '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
];

const [date, later] = ['Mon, 21 Oct 2013 20:13:21 GMT', 'Mon, 21 Oct 2013 20:13:22 GMT'];
const [place, cookie] = [
  'https://www.example.com',
  'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
];

it('decodes blocks that refer to earlier ones, as in RFC 7541', () => {
  const decoder = new HpackDecoder();
  // A table of 256 bytes.
  expect(decoder.decode(hex('3fe101'))).toEqual([]);
  const rest = [
    ['cache-control', 'private'],
    ['date', date],
    ['location', place],
  ];
  const decoded = responses.map((block) => decoder.decode(hex(block)));
  expect(decoded).toEqual([
    [[':status', '302'], ...rest],
    [[':status', '307'], ...rest],
    [
      [':status', '200'],
      ['cache-control', 'private'],
      ['date', later],
      ['location', place],
      ['content-encoding', 'gzip'],
      ['set-cookie', cookie],
    ],
  ]);
});

it('decodes literals without Huffman coding, indexed or not, and keeps the case of names', () => {
  const decoder = new HpackDecoder();
  expect(decoder.decode(hex('400a637573746f6d2d6b65790d637573746f6d2d686561646572'))).toEqual([
    ['custom-key', 'custom-header'],
  ]);
  expect(decoder.decode(hex('be 040c2f73616d706c652f70617468 00 0158 01e9'))).toEqual([
    ['custom-key', 'custom-header'],
    [':path', '/sample/path'],
    ['X', 'é'],
  ]);
});

it.each([
  ['an index without an entry', 'be', 'an HPACK index without an entry'],
  ['index 0', '80', 'an HPACK index without an entry'],
  ['a string that is longer than the block', '00 05 61', 'an HPACK block that ends too early'],
  ['a literal without a value', '40 01 61', 'an HPACK block that ends too early'],
  ['an integer that goes on for ever', `ff${'ff'.repeat(20)}`, 'an HPACK integer above 2^32'],
  ['padding that is not ones', '00 81 00 00', 'an HPACK string that is cut off'],
  ['a string with the end of strings in it', '00 84 ffffffff 00', 'an HPACK string with an end in it'],
  ['a table that the receiver does not allow', '3fe2ff03', 'an HPACK table larger than allowed'],
])('rejects %s', (_, block, reason) => {
  expect(() => new HpackDecoder().decode(hex(block))).toThrow(reason);
});

it('keeps a table of at most 64 KiB, whatever the receiver allows', () => {
  const decoder = new HpackDecoder();
  decoder.allow(0xffff_ffff);
  expect(decoder.decode(hex('3fe1ff03'))).toEqual([]);
  expect(() => decoder.decode(hex('3fe2ff03'))).toThrow('an HPACK table larger than 64 KiB');
});

it('forgets what no longer fits when the sender makes the table smaller', () => {
  const decoder = new HpackDecoder();
  expect(decoder.decode(hex('4001610162'))).toEqual([['a', 'b']]);
  // A table of 34 bytes, which the entry fills, and then of 33.
  expect(decoder.decode(hex('3f03 be'))).toEqual([['a', 'b']]);
  expect(() => decoder.decode(hex('3f02 be'))).toThrow('an HPACK index without an entry');
});

it('rejects a small block that stands for many headers', () => {
  const decoder = new HpackDecoder();
  const long = Buffer.alloc(4000, 'x');
  decoder.decode(Buffer.concat([hex('40 01 61 7fa11e'), long]));
  expect(decoder.decode(Buffer.of(0xbe))).toEqual([['a', long.toString()]]);
  expect(() => decoder.decode(Buffer.alloc(100, 0xbe))).toThrow('headers longer than 256 KiB');
});
