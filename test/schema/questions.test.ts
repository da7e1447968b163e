import { expect, test } from 'vitest';
import { readQuestions } from '../../bench/support/questions.ts';
import { freshDb } from '../support/db/db.ts';

test('each question of the documentation is a statement that bi answers', async () => {
  await using db = await freshDb();
  const questions = readQuestions();
  expect(questions).toHaveLength(20);
  const asked = { brand: 'none', retailer: 'none', day: '2024-03-10' };
  for (const { title, sql, names } of questions) {
    const { rows } = await db.query(
      sql,
      names.map((name) => asked[name]),
    );
    expect(rows, title).toEqual([]);
  }
});
