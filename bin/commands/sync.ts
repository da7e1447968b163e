import type { Noun } from '../cli.ts';
import { addDismiss } from '../sync/dismiss.ts';
import { addReconcile } from '../sync/reconcile.ts';
import { addRun } from '../sync/run.ts';
import { addStatus } from '../sync/status.ts';

export const noun: Noun = (command, cli) => {
  command.description('syncs: bring the streams of connections up to date');
  addRun(command, cli);
  addReconcile(command, cli);
  addStatus(command, cli);
  addDismiss(command, cli);
};
