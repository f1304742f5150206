/** What every part of the benchmark is given. */
import type { Recorder } from '../measure/results.ts';
import type { Stage } from '../measure/stage.ts';

/**
 * full: the sizes that are published. small: a try that everything works, in seconds; its figures mean nothing. quick: the sizes of
 * `--quick`, few and short, whose ratios are compared with bench/baseline.json.
 */
export type Size = 'full' | 'small' | 'quick';

export type PartContext = {
  readonly stage: Stage;
  readonly recorder: Recorder;
  readonly size: Size;
  readonly rounds: number;
  /** Rows of action, where the user asks for others than the part's own. */
  readonly rows?: number;
};

export type Part = (context: PartContext) => Promise<void>;
