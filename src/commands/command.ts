/** What a subcommand is. Each file of this folder exports one. */
import type { OptionName } from '../config/option-table.ts';
import type { OptionValues } from '../config/parse-options.ts';

export type CommandContext = {
  readonly options: OptionValues;
  readonly positionals: readonly string[];
  /** Prints a line on standard output. */
  readonly print: (line: string) => void;
  /** Aborted by the first SIGINT or SIGTERM; a command that never reads it is ended by the signal itself. */
  readonly signal: AbortSignal;
};

export type Command = {
  /** The words after `tidegate`. */
  readonly words: readonly string[];
  readonly summary: string;
  /** What stands for the positional words in `--help`; none are taken when absent. */
  readonly positionals?: string;
  readonly options: readonly OptionName[];
  readonly required?: readonly OptionName[];
  /** Options that are taken from the command line alone, and have no default here. */
  readonly argumentsOnly?: readonly OptionName[];
  /** Runs the command. What it throws is told to the user by cli.ts. */
  readonly run: (context: CommandContext) => Promise<void>;
};
