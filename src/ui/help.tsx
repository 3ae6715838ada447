import { useLayoutEffect, useRef } from 'preact/hooks';

const keys: readonly (readonly [string, string])[] = [
  ['/', 'filter the causes'],
  ['↑ ↓ or k j', 'move from row to row, and from cause to cause'],
  ['Enter', 'open or close a cause or frame; show a line in full length'],
  ['← →', 'close, open'],
  ['n p', 'next and previous place with a finding'],
  ['r', 'the bytes of a frame'],
  ['1 2 3', 'the views of a scenario'],
  ['[ ]', 'previous and next scenario with findings'],
  ['t', 'light, dark, or as the system has it'],
  ['Esc', 'close, or back to the overview'],
];

/** The keys of the page. */
export function Help({ onClose }: { readonly onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-label="keys" onClose={onClose}>
      <h2>Keys</h2>
      <dl class="keys">
        {keys.map(([key, text]) => (
          <>
            <dt key={key}>
              {key.split(' ').map((one) => (one === 'or' ? ' or ' : <kbd key={one}>{one}</kbd>))}
            </dt>
            <dd>{text}</dd>
          </>
        ))}
      </dl>
      <form method="dialog">
        <button type="submit">close</button>
      </form>
    </dialog>
  );
}
