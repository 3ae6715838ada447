// Bundles a page of src/ui into one script and one style: `page` is that of the HTML report, `watch` that of the live view.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const source = join(dirname(fileURLToPath(import.meta.url)), '..', 'src', 'ui');

const entries = { page: 'main.tsx', watch: 'watch-main.tsx' };
export const pages = Object.keys(entries);

/** @returns {Promise<{ script: string, style: string }>} */
export async function bundlePage(page) {
  const bundle = await rolldown({
    input: join(source, entries[page]),
    platform: 'browser',
    // src/ui/tsconfig.json says how JSX is compiled.
    tsconfig: join(source, 'tsconfig.json'),
  });
  const { output } = await bundle.generate({ format: 'iife', minify: true });
  await bundle.close();
  // The script is inside an element of HTML, which these texts would end or hide.
  const script = output[0].code.replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--');
  return { script: script.trim(), style: readFileSync(join(source, 'page.css'), 'utf8').trim() };
}
