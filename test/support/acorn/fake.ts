/** Acorn's API, out of tables: `GET /v1/<list>?after=<n>` gives the next rows behind row n, two at a time. */
import { by, type FakeProvider, fakeProvider, json, status } from '../providers/provider.ts';

export const KEY = 'acorn_key_1';

export type Tables = Readonly<Record<string, readonly object[]>>;

const PAGE_SIZE = 2;

export async function acornServing(tables: () => Tables): Promise<FakeProvider> {
  return fakeProvider(
    by(({ path, headers }) => {
      const { pathname, searchParams } = new URL(path, 'http://acorn.test');
      const [, , list = '', id] = pathname.split('/');
      const rows = tables()[list];
      if (headers.authorization !== `Bearer ${KEY}`) return status(401);
      if (rows === undefined) return status(404);
      if (id !== undefined) {
        const found = rows.filter((row) => 'id' in row && row.id === id);
        return json({ rows: found, next: found.length });
      }
      const after = Number(searchParams.get('after'));
      const page = rows.slice(after, after + PAGE_SIZE);
      return json({ rows: page, next: after + page.length });
    }),
  );
}
