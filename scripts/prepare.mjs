// Compiles the package and bundles its pages: npm runs this before it packs, and after it installs from a git URL or in the repository. Without the
// compiler, as after "npm ci --omit=dev", there is nothing to do. Types are not checked, which halves the time: "npm test" does that.
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

const repository = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..');
const compiler = join(repository, 'node_modules', 'typescript', 'bin', 'tsc');
if (existsSync(compiler)) {
  // Files of modules that no longer exist would be packed too.
  rmSync(join(repository, 'dist'), { recursive: true, force: true });
  execFileSync(process.execPath, [compiler, '--project', join(repository, 'tsconfig.build.json')], {
    stdio: 'inherit',
  });
  const { bundlePage, pages } = await import('./bundle-page.mjs');
  for (const page of pages) {
    const { script, style } = await bundlePage(page);
    writeFileSync(join(repository, 'dist', 'ui', `${page}.js`), script);
    writeFileSync(join(repository, 'dist', 'ui', 'page.css'), style);
  }
} else {
  console.error('codex-parity: typescript is not installed, so dist/ is not compiled');
}
