import { rollups } from '#sql/rollups/index.ts';
import { inOrder } from '#sql/rollups/rollup.ts';
import { acornDailySpend } from './acorn_daily_spend.ts';

/** The one line in the list. */
export const withSpend = inOrder([...rollups, acornDailySpend]);
