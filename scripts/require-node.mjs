// Runs before every npm script, on whatever node the machine has: so no syntax newer than node 12 here.
import process from 'node:process';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  console.error(
    `codex-parity needs node 22.19 or later, and this is ${process.version}: ` +
      'run "npm ci" with install scripts allowed (it brings node 24 along), or install a newer node.',
  );
  process.exit(2);
}
