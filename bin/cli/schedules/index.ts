import type { Noun } from '../shared/noun.ts';
import { addAdd } from './add.ts';
import { addBackfill } from './backfill.ts';
import { addEdit } from './edit.ts';
import { addHistory } from './history.ts';
import { addList } from './list.ts';
import { addNext } from './next.ts';
import { addPause } from './pause.ts';
import { addRemove } from './remove.ts';
import { addResume } from './resume.ts';
import { addRun } from './run.ts';
import { addShow } from './show.ts';

export const noun: Noun = (command, cli) => {
  command.description('schedules: tasks that run by the clock, and what became of each slot');
  addList(command, cli);
  addShow(command, cli);
  addNext(command, cli);
  addHistory(command, cli);
  addAdd(command, cli);
  addEdit(command, cli);
  addPause(command, cli);
  addResume(command, cli);
  addRun(command, cli);
  addBackfill(command, cli);
  addRemove(command, cli);
};
