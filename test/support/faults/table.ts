/** The table of the fault suite, for a terminal and for docs/reliability.md. */
import type { FaultRow } from './fault.ts';

export type NotRun = { fault: string; reason: string };

const HEAD = [
  ...['fault', 'product', 'injected', 'jobs', 'lost', 'doubled'],
  ...['recovery p50', 'p99', 'max', 'refusals', 'note'],
];

export function tableOf(rows: readonly FaultRow[], notRun: readonly NotRun[]): string {
  const lines = [
    ...rows.map(({ fault, product, injected, jobs, lost, doubled, recoveryMs, refusals, note = '' }) => [
      ...[fault, product, injected, jobs, lost, doubled].map(String),
      ...[0.5, 0.99, 1].map((share) => seconds(recoveryMs, share)),
      ...[String(refusals), note],
    ]),
    ...notRun.map(({ fault, reason }) => [fault, '', ...Array(8).fill('–'), `not run: ${reason}`]),
  ];
  const widths = HEAD.map((title, column) =>
    Math.max(title.length, ...lines.map((line) => (line[column] ?? '').length)),
  );
  const show = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [show(HEAD), show(widths.map((width) => '-'.repeat(width))), ...lines.map(show)].join('\n');
}

function seconds(values: readonly number[], share: number): string {
  const sorted = values.toSorted((a, b) => a - b);
  const found = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  return found === undefined ? '–' : `${(found / 1_000).toFixed(2)} s`;
}
