/** Opens the tab of a key from 1 to 9. Returns whether there is one. */
export function openTab(key: string): boolean {
  const tab = /^[1-9]$/.test(key)
    ? document.querySelectorAll<HTMLElement>('[role=tab]')[Number(key) - 1]
    : undefined;
  tab?.click();
  return tab !== undefined;
}
