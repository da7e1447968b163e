import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const product = ['runtime', 'sql', 'connectors', 'tasks', 'workers', 'bin'];

function codesInSource(): string[] {
  const codes = product.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) => readFileSync(join(root, folder, file), 'utf8').match(/'NS_[A-Z_]+'/g) ?? []),
  );
  return [...new Set(codes.map((code) => code.slice(1, -1)))].sort();
}

test('docs/errors.md lists exactly the codes that the product can raise, in order', () => {
  const documented = [
    ...readFileSync(join(root, 'docs/errors.md'), 'utf8').matchAll(/^\| `(NS_[A-Z_]+)` \|/gm),
  ];
  expect(documented.map((match) => match[1])).toEqual(codesInSource());
});
