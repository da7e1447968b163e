import type { Noun } from '../shared/noun.ts';
import { addAccept } from './accept.ts';
import { addDismiss } from './dismiss.ts';
import { addReconcile } from './reconcile.ts';
import { addRun } from './run.ts';
import { addStatus } from './status.ts';

export const noun: Noun = (command, cli) => {
  command.description('syncs: bring the streams of connections up to date');
  addRun(command, cli);
  addReconcile(command, cli);
  addStatus(command, cli);
  addDismiss(command, cli);
  addAccept(command, cli);
};
