import { type ClientHello, clientHelloLists } from '../../wire/client-hello.ts';
import { jsonString } from '../../wire/json.ts';
import type { ComparedValue, Mismatch, Place } from './mismatch.ts';

/** The lists of a ClientHello, by their place in a handshake. */
export const helloPlaces = {
  versions: 'TLS versions',
  ciphers: 'TLS ciphers',
  groups: 'TLS groups',
  keyShares: 'TLS key shares',
  signatures: 'TLS signatures',
  extensions: 'TLS extensions',
} as const satisfies Record<(typeof clientHelloLists)[number], string>;

/** The lists in which a ClientHello differs from that of a golden, each as a whole. */
export function helloMismatches(expected: ClientHello, actual: ClientHello, place: Place): Mismatch[] {
  return clientHelloLists.flatMap((list): Mismatch[] => {
    const isSorted = list === 'extensions' && expected.anyOrder === true;
    const [left, right] = [expected, actual].map((hello) => {
      const names = isSorted ? hello[list].toSorted() : hello[list];
      return names.join(' ');
    });
    if (left === right) return [];
    const places = [{ ...place, path: [helloPlaces[list]] }];
    return [{ kind: 'changed', places, expected: text(left), actual: text(right) }];
  });
}

function text(value = ''): ComparedValue {
  return { type: 'json', node: jsonString(value) };
}
