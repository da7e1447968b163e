/** Bars for a terminal. Lengths may be floats, because they are for the eye only; labels show the exact text. */

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A bar of `width` cells at most, drawn in eighths of a cell. */
export function bar(value: number, largest: number, width: number): string {
  if (largest <= 0 || value <= 0) return '';
  const eighths = Math.max(1, Math.round((value / largest) * width * 8));
  return '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '');
}

export type Bar = { label: string; value: number; text: string };

/** One line per bar: label, bar, exact text; labels and texts aligned. */
export function barChart(bars: readonly Bar[], width: number): string[] {
  const largest = Math.max(0, ...bars.map(({ value }) => value));
  const labelWidth = Math.max(0, ...bars.map(({ label }) => label.length));
  const textWidth = Math.max(0, ...bars.map(({ text }) => text.length));
  return bars.map(({ label, value, text }) =>
    `${label.padEnd(labelWidth)}  ${text.padStart(textWidth)}  ${bar(value, largest, width)}`.trimEnd(),
  );
}
