/** The raw figures of a run, as they are kept in bench/results/ for docs/performance.md to be made from. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeMachine, type Machine } from './machine.ts';

/** One contestant in one case of one round. */
export type Measurement = {
  readonly round: number;
  readonly contestant: string;
  /** What was asked of it, such as `{ events: 20, connections: 64 }`. */
  readonly case: Readonly<Record<string, number | string>>;
  /** What it took, with the unit in the name. */
  readonly figures: Readonly<Record<string, number>>;
};

export type PartResult = {
  readonly part: string;
  readonly command: string;
  readonly takenAt: string;
  readonly machine: Machine;
  readonly measurements: readonly Measurement[];
};

export const PUBLISHED_FOLDER = join(import.meta.dirname, '..', 'results');

/** Gathers what one part measures. */
export class Recorder {
  readonly #machine = describeMachine();
  readonly #measurements: Measurement[] = [];

  get measurements(): readonly Measurement[] {
    return this.#measurements;
  }

  /** Keeps a measurement, rounded to four digits, and shows it on standard error. */
  add(measurement: Measurement): void {
    const figures = Object.fromEntries(
      Object.entries(measurement.figures).map(([name, value]) => [name, Number(value.toPrecision(4))]),
    );
    this.#measurements.push({ ...measurement, figures });
    const asked = Object.entries(measurement.case).map(([name, value]) => `${name} ${value}`);
    const shown = Object.entries(figures).map(([name, value]) => `${name} ${value}`);
    const head = `round ${measurement.round}  ${measurement.contestant}`;
    console.error(`  ${head}  ${asked.join(', ')}: ${shown.join(', ')}`);
  }

  result(part: string, command: string): PartResult {
    return {
      part,
      command,
      takenAt: new Date().toISOString(),
      machine: this.#machine,
      measurements: this.#measurements,
    };
  }
}

/** Writes a part's figures, one measurement a line. */
export function writeResult(folder: string, result: PartResult): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${result.part}.json`);
  const { measurements, ...head } = result;
  const lines = measurements.map((each) => `    ${JSON.stringify(each)}`).join(',\n');
  const text = JSON.stringify(head, null, 2).replace(/\n\}$/, `,\n  "measurements": [\n${lines}\n  ]\n}\n`);
  writeFileSync(path, text);
  return path;
}

/** Reads a part's kept figures; undefined when no run of it is kept. */
export function readResult(folder: string, part: string): PartResult | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, `${part}.json`), 'utf8')) as PartResult;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
