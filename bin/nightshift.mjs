#!/usr/bin/env node
// What `npx nightshift` starts, on whatever Node the machine has: plain JavaScript, because an older
// one would answer TypeScript with a syntax error. A checkout runs its TypeScript as it is; an
// installed package holds compiled JavaScript, because Node strips no types below node_modules.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NODE_MAJOR_MIN = 24;
// Without them V8 lets garbage pile up as long as the machine has memory: docs/performance.md.
const LONG_RUNNING_FLAGS = ['--max-semi-space-size=4', '--heap-growing-percent=25'];

if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) {
  if (isLongRunning()) becomeFrugal();
  const cache = ownCache();
  if (cache !== undefined) module.enableCompileCache(cache); // one that cannot be written costs nothing
  const source = new URL('./nightshift.ts', import.meta.url);
  await import(existsSync(source) ? source.href : '../dist/bin/nightshift.js');
} else {
  runOn(fittingNode());
}

function isLongRunning() {
  return process.argv.slice(2).find((word) => !word.startsWith('-')) === 'up';
}

/** Starts this process anew with the flags, in its own place; where that cannot be it goes on without. */
function becomeFrugal() {
  const missing = LONG_RUNNING_FLAGS.filter((flag) => !process.execArgv.includes(flag));
  if (missing.length === 0 || process.platform === 'win32') return;
  const { execPath, execArgv, argv } = process;
  process.execve(execPath, [execPath, ...execArgv, ...missing, ...argv.slice(1)], process.env);
}

/**
 * Where Node keeps what it has compiled, which halves the time that a command takes to begin. It is code
 * that we run: so it lies with the person's own files, not in the temporary directory that all share, and
 * a directory that somebody else owns or may write is left alone.
 */
function ownCache() {
  try {
    const directory = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'nightshift');
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const { uid, mode } = statSync(directory);
    const isOurs = process.geteuid === undefined || (uid === process.geteuid() && (mode & 0o022) === 0);
    return isOurs ? directory : undefined;
  } catch {
    return undefined; // no home, or none that can be written: then every start compiles
  }
}

/** The Node that `npm ci` brought along as a development dependency. */
function fittingNode() {
  try {
    const program = process.platform === 'win32' ? 'node.exe' : 'node';
    const found = join(dirname(createRequire(import.meta.url).resolve('node/package.json')), 'bin', program);
    return existsSync(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Our own command line once more, on that Node: same streams, signals passed on, its end is ours. */
function runOn(node) {
  if (node === undefined) {
    console.error(`nightshift: this is Node ${process.versions.node}, and Node ${NODE_MAJOR_MIN} is needed.`);
    console.error('  next: install a newer Node; in a checkout, npm ci brings one along');
    process.exitCode = 1;
    return;
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 1;
    if (signal === null) return;
    for (const name of signals) process.removeAllListeners(name);
    process.kill(process.pid, signal);
  });
}
