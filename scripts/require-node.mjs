// Runs before every npm script with the Node of the machine, so it uses no syntax newer than Node 12.
import process from 'node:process';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 21)) {
  console.error(
    `codex-parity needs Node 22.21 or later; this is ${process.version}. ` +
      'Run "npm ci" with install scripts allowed (it installs Node 24), or install a newer Node.',
  );
  process.exit(2);
}
