/**
 * Exponential smoothing with an additive season and a damped additive trend (Holt-Winters), in its form with errors:
 * ETS(A,Ad,A) of Hyndman & Athanasopoulos, Forecasting: Principles and Practice. It adds, multiplies and compares, and
 * nothing else, so every machine computes the same digits.
 */

/** How fast level, trend and season follow an error (0 to 1), and how much of the trend lasts until the next step. */
export type Smoothing = { alpha: number; beta: number; gamma: number; phi: number };

export type State = {
  level: number;
  trend: number;
  /** The next steps' seasonal parts, in turn: `at` is the place of the next one. */
  season: number[];
  at: number;
};

/** Level and season are means of the first whole seasons. */
export function stateOf(first: readonly number[], period: number): State {
  const level = first.reduce((sum, y) => sum + y, 0) / first.length;
  const season = new Array<number>(period).fill(0);
  const seasons = first.length / period;
  first.forEach((y, at) => {
    season[at % period] = (season[at % period] ?? 0) + (y - level) / seasons;
  });
  return { level, trend: 0, season, at: 0 };
}

/** Moves the state past an observation. */
export function observe(state: State, { alpha, beta, gamma, phi }: Smoothing, y: number): void {
  const { season, at } = state;
  const trend = phi * state.trend;
  const part = season[at] ?? 0;
  const error = y - (state.level + trend + part);
  state.level += trend + alpha * error;
  state.trend = trend + beta * error;
  season[at] = part + gamma * error;
  state.at = at + 1 === season.length ? 0 : at + 1;
}

/** The next `steps` values. */
export function ahead({ level, trend, season, at }: State, { phi }: Smoothing, steps: number): number[] {
  const values = new Array<number>(steps);
  let lasting = trend;
  let value = level;
  for (let step = 0; step < steps; step++) {
    lasting *= phi;
    value += lasting;
    values[step] = value + (season[(at + step) % season.length] ?? 0);
  }
  return values;
}
