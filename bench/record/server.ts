import { createPrivateKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createAuthority, createLeaf } from '../../src/tap/certificates.ts';

/**
 * An HTTPS server on 127.0.0.1 for `localhost`, whose authority is written to the file in the first argument. It prints
 * its port. `GET /responses?bytes=N` has a body of N bytes; `?secrets=N` sets N cookies of its own in each response.
 */
const authority = await createAuthority();
writeFileSync(process.argv[2] ?? '', authority.certificate);
const leaf = await createLeaf('localhost', authority.certificate, createPrivateKey(authority.key));
const block = Buffer.alloc(64 * 1024, 'x');
let number = 0;

const server = createServer({ cert: leaf.certificate, key: leaf.key }, async (request, response) => {
  const query = new URL(request.url ?? '', 'https://localhost').searchParams;
  const secrets = Array.from({ length: Number(query.get('secrets') ?? 0) }, () => {
    number += 1;
    return `session=${number.toString(36).padStart(40, '0')}; Path=/`;
  });
  response.writeHead(200, {
    'content-type': 'text/plain',
    ...(secrets.length === 0 ? {} : { 'set-cookie': secrets }),
  });
  for (let left = Number(query.get('bytes') ?? 0); left > 0; left -= block.length) {
    if (!response.write(block.subarray(0, left)))
      await new Promise((resolve) => response.once('drain', resolve));
  }
  response.end();
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(typeof address === 'object' ? address?.port : '');
});
