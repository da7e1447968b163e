/** The questions of `docs/questions.md` on a large brand: each as an analyst types it, over and over. */
import type { Figure } from '../support/bench.ts';
import { median, timed } from '../support/measure.ts';
import { type Question, readQuestions } from '../support/questions.ts';
import type { BenchServer } from '../support/server.ts';
import { DAYS, fillLargeBrand, LAST_DAY, RETAILERS } from './large_brand.ts';

const ROUNDS = 7;

export async function benchDashboards(server: BenchServer): Promise<Figure[]> {
  const { db } = await fillLargeBrand(server);
  const asked = { brand: 'large', retailer: 'r7', day: LAST_DAY };
  const figures: Figure[] = [];
  for (const question of readQuestions()) figures.push(await ask(question));
  const { rows } = await db.query('select count(*) as n from agg.daily_sales');
  return [
    { name: `rows of daily_sales: ${RETAILERS} retailers, ${DAYS} days`, value: rows[0]?.n, unit: 'rows' },
    ...figures,
  ];

  async function ask({ title, sql, names }: Question): Promise<Figure> {
    const values = names.map((name) => asked[name]);
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) times.push(await timed(() => db.query(sql, values)));
    return { name: title, value: median(times), unit: 'ms', bar: { below: 50 } };
  }
}
