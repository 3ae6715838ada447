import { render } from 'preact';
import { WatchApp } from './watch-app.tsx';

const root = document.getElementById('page');
if (root !== null) {
  root.replaceChildren();
  render(<WatchApp />, root);
}
