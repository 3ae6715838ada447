import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** The program and the style of a page (src/ui). */
export type PageBundle = { readonly script: string; readonly style: string };

/** The pages of src/ui: that of the HTML report, and that of the live view. */
export type PageName = 'page' | 'watch';

/** From source: the pages that this process has bundled. */
const bundles = new Map<PageName, Promise<PageBundle>>();

/** In the package the pages are built; from source a page is bundled at its first use, which takes about 0.1 seconds. */
export async function pageBundle(page: PageName): Promise<PageBundle> {
  const built = (name: string) => join(import.meta.dirname, '..', 'ui', name);
  if (existsSync(built(`${page}.js`)))
    return {
      script: readFileSync(built(`${page}.js`), 'utf8'),
      style: readFileSync(built('page.css'), 'utf8'),
    };
  const bundle = bundles.get(page) ?? bundleFromSource(page);
  bundles.set(page, bundle);
  return bundle;
}

async function bundleFromSource(page: PageName): Promise<PageBundle> {
  const bundler = join(import.meta.dirname, '..', '..', 'scripts', 'bundle-page.mjs');
  const { bundlePage }: { bundlePage: (page: PageName) => Promise<PageBundle> } = await import(
    pathToFileURL(bundler).href
  );
  return bundlePage(page);
}
