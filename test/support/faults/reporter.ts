/** Prints the table of the fault suite when all has run; with `-u` it goes to docs/reliability.md too. */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Reporter, TestModule, Vitest } from 'vitest/node';
import { FIXED_SEED } from '../random.ts';
import type { FaultRow } from './fault.ts';
import { type NotRun, tableOf } from './table.ts';

const DOC = join(import.meta.dirname, '../../../docs/reliability.md');
const FIGURES = /(?<=<!-- figures -->\n)[\s\S]*(?=<!-- end of figures -->)/;

export default class FaultReporter implements Reporter {
  #vitest: Vitest | undefined;
  readonly #began = performance.now();
  readonly #loadBefore = loadavg()[0];

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const rows: FaultRow[] = [];
    const notRun: NotRun[] = [];
    const byName = modules.toSorted((a, b) => a.moduleId.localeCompare(b.moduleId));
    for (const test of byName.flatMap((module) => [...module.children.allTests()])) {
      const result = test.result();
      rows.push(...(test.meta().faults ?? []));
      if (result.state === 'skipped')
        notRun.push({ fault: test.name, reason: result.note ?? 'only in the full form' });
    }
    const memory = Math.round(totalmem() / 2 ** 30);
    const load = [this.#loadBefore, loadavg()[0]].map((one) => one?.toFixed(1)).join(' to ');
    const seconds = Math.round((performance.now() - this.#began) / 1_000);
    const machine = `${cpus().length} cores at a load of ${load}, ${memory} GB, ${process.platform}, Node ${process.versions.node}`;
    const form = process.env.NIGHTSHIFT_LONG === '1' ? 'Full form' : 'Short form';
    const head = `${form} in ${seconds} s, seed ${process.env.NIGHTSHIFT_SEED || FIXED_SEED}; ${machine}; ${new Date().toISOString().slice(0, 10)}.`;
    const table = tableOf(rows, notRun);
    process.stdout.write(`\n${head}\n\n${table}\n\n`);
    if (this.#vitest?.config.snapshotOptions.updateSnapshot !== 'all') return;
    writeFileSync(
      DOC,
      readFileSync(DOC, 'utf8').replace(FIGURES, () => `\n${head}\n\n${table}\n\n`),
    );
  }
}
