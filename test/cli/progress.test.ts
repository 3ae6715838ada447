import { expect, it, onTestFinished, vi } from 'vitest';
import { ProgressLine } from '../../src/cli/progress.ts';

it('prints progress now and then where it is not a terminal', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const printed = vi.spyOn(console, 'error').mockImplementation(() => {});
  onTestFinished(() => {
    printed.mockRestore();
    vi.useRealTimers();
  });
  const { show } = new ProgressLine();
  show('1 of 4');
  show('2 of 4');
  vi.advanceTimersByTime(10_000);
  show('3 of 4');
  show('4 of 4');
  expect(printed.mock.calls).toEqual([['1 of 4'], ['3 of 4']]);
});
