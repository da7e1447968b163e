import type { Faults, Target } from '../faults.ts';
import { get, type Plain } from '../plain.ts';
import { reordered } from '../random.ts';
import type { PageFaults } from './graphql/connection.ts';
import { type Page, pageOf } from './graphql/connection.ts';
import type { Shop } from './shop.ts';

/** The faults that concern rows and pages, for one request; `asked` counts the shop's queries so far. */
export function pageFaults(faults: Faults, shop: Shop, target: Target, asked: number): PageFaults {
  return {
    expireCursor: () => faults.take('expired_cursor', target) !== undefined,
    change: (page, rows, request) => {
      if (request.args.after && faults.take('repeat_page', target)) {
        const { first } = request.args;
        const before = page.pageInfo.startCursor;
        if (before) return pageOf(rows, { ...request, args: { last: first, before } });
      }
      return page.nodes.length > 1 && faults.take('reorder_page', target) ? inDisorder(page) : page;
    },
    rows: (rows, inCount = false) => {
      const hidden = faults.lateRows(target, asked, { inCount });
      const present = hidden.size > 0 ? rows.filter((row) => !hidden.has(idOf(row))) : rows;
      return withOlder(present, faults, shop, target);
    },
  };
}

function withOlder(rows: readonly Plain[], faults: Faults, shop: Shop, target: Target): readonly Plain[] {
  const [asked] = faults.lasting('older_version', target);
  if (!asked) return rows;
  const concerns = (row: Plain) =>
    (!asked.ids || asked.ids.includes(idOf(row))) && shop.older(idOf(row)) !== undefined;
  if (!rows.some(concerns)) return rows;
  if (!faults.take('older_version', target)) return rows;
  return rows.map((row) => (concerns(row) ? (shop.older(idOf(row)) ?? row) : row));
}

/** Shuffled rows under the page's own cursors, so that paging goes on where it should. */
function inDisorder(page: Page): Page {
  const edges = reordered(page.edges);
  return { ...page, edges, nodes: edges.map((edge) => edge.node) };
}

function idOf(row: Plain): string {
  return String(get(row, 'id'));
}
