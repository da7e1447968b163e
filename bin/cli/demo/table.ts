/** Of a ratio with four places. Works on the text, so that nothing passes through a float. */
export function percent(ratio: string | null): string {
  if (ratio === null) return '';
  const digits = ratio.replace('.', '').replace(/^0+(?=\d{3})/, '');
  return `${digits.slice(0, -2)}.${digits.slice(-2)} %`;
}

/** The first column to the left, all others to the right, each as wide as it must be. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) => {
    const cells = row.map((cell, at) =>
      at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0),
    );
    return `  ${cells.join(' ')}`.trimEnd();
  });
}
