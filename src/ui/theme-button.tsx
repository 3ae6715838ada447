import { useLayoutEffect, useState } from 'preact/hooks';
import { applyTheme, nextTheme, readTheme, type Theme } from './theme.ts';

/** The theme of the page, and a function that changes to the next one. */
export function useTheme(): readonly [theme: Theme, change: () => void] {
  const [theme, setTheme] = useState(readTheme);
  useLayoutEffect(() => applyTheme(theme), [theme]);
  return [theme, () => setTheme(nextTheme)];
}

type ThemeButtonProps = { readonly theme: Theme; readonly change: () => void };

/** Shows the theme, and changes it. */
export function ThemeButton({ theme, change }: ThemeButtonProps) {
  return (
    <button type="button" title="light, dark, or as the system has it (t)" onClick={change}>
      {theme === 'system' ? 'system colours' : theme} <kbd>t</kbd>
    </button>
  );
}
