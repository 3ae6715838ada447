import { createRequire, registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);

/**
 * Makes modules that are loaded from now on use this module in place of the package `string-width`, until the returned function is
 * called. For yargs: the package makes tables of all emoji when it is loaded, which is a third of the CPU time of
 * `--version` (measured: string-width 8.3.0).
 */
export function deferStringWidth(): () => void {
  const hooks = registerHooks({
    resolve: (specifier, context, next) => {
      const resolved = next(specifier, context);
      if (specifier !== 'string-width') return resolved;
      return { url: `${import.meta.url}?of=${encodeURIComponent(resolved.url)}` };
    },
  });
  return () => hooks.deregister();
}

/** Returns the columns that a text takes. Loads the package for the first text that is not plain ASCII. */
export default function stringWidth(text: string, options?: object): number {
  if (/^[ -~]*$/.test(text)) return text.length;
  const whole = fileURLToPath(new URL(import.meta.url).searchParams.get('of') ?? '');
  const { default: widthOf }: { default: typeof stringWidth } = require(whole);
  return widthOf(text, options);
}
