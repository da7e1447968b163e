/** What is wrong with a scenario, and in which line of which file. */
export class ScenarioError extends Error {
  constructor(place: string, problem: string) {
    super(`${place}: ${problem}`);
    this.name = 'ScenarioError';
  }
}
