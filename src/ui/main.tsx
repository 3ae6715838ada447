import { render } from 'preact';
import { App } from './app.tsx';
import { readPage } from './embedded.ts';

const root = document.getElementById('page');
if (root !== null) {
  root.replaceChildren();
  render(<App page={readPage()} />, root);
}
