/**
 * Tells whether standard output was closed (`>&-`) before the start. Node then opens /dev/null in its place, so that
 * output would be lost silently and the command would exit with 0. `>/dev/null` opens it for writing only; a program
 * that starts this one without output opens it for both, as Node does. What distinguishes the two is a shell among
 * the parents that has an output itself.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

const SHELLS = /^-?(ba|da|z|k|mk|fi|a)?sh$/;
const ANCESTORS_MAX = 20;
const ACCESS_MODE = 0o3; // O_ACCMODE
const READ_AND_WRITE = 0o2; // O_RDWR

export function isStdoutClosed(): boolean {
  try {
    let process = 'self';
    for (let step = 0; step < ANCESTORS_MAX && isNullForBoth(process); step++) process = parentOf(process);
    return process !== 'self' && SHELLS.test(basename(readlinkSync(`/proc/${process}/exe`)));
  } catch {
    return false; // no /proc, or a process that we may not inspect: the question has no answer
  }
}

function isNullForBoth(process: string): boolean {
  if (outputOf(process) !== '/dev/null') return false;
  const flags = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/${process}/fdinfo/1`, 'utf8'))?.[1] ?? '';
  return (Number.parseInt(flags, 8) & ACCESS_MODE) === READ_AND_WRITE;
}

/** Some shells close their own output while they start a command. */
function outputOf(process: string): string | undefined {
  try {
    return readlinkSync(`/proc/${process}/fd/1`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined;
  }
}

function parentOf(process: string): string {
  const parent = /^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${process}/status`, 'utf8'))?.[1];
  if (parent === undefined) throw new TypeError(`process ${process} has no parent`);
  return parent;
}
