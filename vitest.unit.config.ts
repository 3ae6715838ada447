import { mergeConfig } from 'vitest/config';
import all, { systemTests } from './vitest.config.ts';

/** Unit tests only. They wait less, so more of them run at once. */
export default mergeConfig(all, { test: { exclude: systemTests, maxWorkers: 6 } });
