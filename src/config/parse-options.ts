/**
 * Reads a command's options from its arguments and the environment, and says all faults at once.
 *
 * An argument wins over the environment, the environment over the default. A list that is given twice is one list. A variable
 * with our prefix that names no option of the server is a fault: a misspelt one would otherwise do nothing, silently. An argument
 * without a text is a fault too, where it would otherwise be as if it had not been given: `--xpath "$X"` makes no rule for all.
 */
import { parseArgs } from 'node:util';
import { ConfigurationError } from '../errors/app-error.ts';
import { environmentName, OPTION_TABLE, type OptionName, type OptionSpec } from './option-table.ts';

export type ListenAddress = { readonly host: string; readonly port: number };

/** The values of a command's options, read. Absent options are undefined. */
export class OptionValues {
  readonly #values: ReadonlyMap<OptionName, unknown>;

  constructor(values: ReadonlyMap<OptionName, unknown>) {
    this.#values = values;
  }

  text(name: OptionName): string {
    return this.#required(name) as string;
  }
  optionalText(name: OptionName): string | undefined {
    return this.#values.get(name) as string | undefined;
  }
  optionalInteger(name: OptionName): number | undefined {
    return this.#values.get(name) as number | undefined;
  }
  integer(name: OptionName): number {
    return this.#required(name) as number;
  }
  flag(name: OptionName): boolean {
    return this.#values.get(name) === true;
  }
  optionalList(name: OptionName): readonly string[] | undefined {
    return this.#values.get(name) as readonly string[] | undefined;
  }
  list(name: OptionName): readonly string[] {
    return this.#required(name) as readonly string[];
  }
  /** Unix milliseconds. */
  optionalInstantMs(name: OptionName): number | undefined {
    return this.#values.get(name) as number | undefined;
  }
  listen(name: OptionName): ListenAddress {
    return this.#required(name) as ListenAddress;
  }

  #required(name: OptionName): unknown {
    const value = this.#values.get(name);
    if (value === undefined) throw new Error(`option ${name} was not declared for this command`);
    return value;
  }
}

export type ParsedOptions = { readonly values: OptionValues; readonly positionals: readonly string[] };

/**
 * Reads the options that a command declares. Variables of options that only other commands have are left alone.
 * @throws ConfigurationError with every fault
 */
export function parseOptions(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  command: {
    readonly options: readonly OptionName[];
    readonly required: readonly OptionName[];
    /** Read from the arguments alone, without a default: what the environment says is meant for the server. */
    readonly argumentsOnly?: readonly OptionName[];
    readonly takesPositionals: boolean;
  },
): ParsedOptions {
  const faults: string[] = unknownVariables(environment);
  const { given, positionals } = readArguments(args, command.options, faults);
  if (!command.takesPositionals) faults.push(...positionals.map((word) => `"${word}" is one word too many.`));
  const values = new Map<OptionName, unknown>();
  for (const name of command.options) {
    const spec: OptionSpec = OPTION_TABLE[name];
    const isArgumentOnly = command.argumentsOnly?.includes(name) ?? false;
    const text = given.get(name) ?? (isArgumentOnly ? undefined : (readVariable(name, environment) ?? spec.default));
    if (given.get(name) === '' && !isMany(name)) {
      faults.push(`--${name} needs a value.`);
      continue;
    }
    if (text === undefined || (text === '' && !isMany(name))) {
      if (command.required.includes(name)) faults.push(`--${name} ${spec.placeholder ?? ''} is missing.`);
      continue;
    }
    const value = readValue(text, spec);
    if (value instanceof Fault) faults.push(`--${name}: ${value.message}`);
    else values.set(name, value);
  }
  if (faults.length > 0) throw new ConfigurationError(faults);
  return { values: new OptionValues(values), positionals };
}

function readVariable(name: OptionName, environment: NodeJS.ProcessEnv): string | undefined {
  const variable = environmentName(name);
  const text = variable === undefined ? undefined : environment[variable];
  return text === '' && !isMany(name) ? undefined : text; // as a compose file hands on what nobody has set
}

function readArguments(
  args: readonly string[],
  names: readonly OptionName[],
  faults: string[],
): { readonly given: ReadonlyMap<string, string>; readonly positionals: readonly string[] } {
  const isFlag = (name: OptionName): boolean => OPTION_TABLE[name].type.kind === 'flag';
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(names.map((name) => [name, { type: isFlag(name) ? 'boolean' : 'string' }])),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const given = new Map<string, string>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const name = names.find((known) => known === token.name);
    if (!name) faults.push(`${token.rawName} is no option of this command; see --help.`);
    else if (isFlag(name)) given.set(name, token.value ?? 'true');
    else if (
      token.value === undefined ||
      (token.value.startsWith('-') && !token.inlineValue && token.value.length > 1)
    ) {
      const inline =
        token.value === undefined ? '' : ` A value that begins with - is written --${name}=${token.value}.`;
      faults.push(`--${name} needs a value.${inline}`);
    } else
      given.set(
        name,
        isMany(name) && given.has(name) ? given.get(name)! + separatorOf(name) + token.value : token.value,
      );
  }
  return { given, positionals };
}

function isMany(name: OptionName): boolean {
  const { kind } = OPTION_TABLE[name].type;
  return kind === 'list' || kind === 'words';
}

/** Stands between words: no argument can hold it. */
const WORD_END = '\0';

/** What stands between the values of an option that was given several times. */
function separatorOf(name: OptionName): string {
  return OPTION_TABLE[name].type.kind === 'words' ? WORD_END : ',';
}

/** Gives NaN for a day that is in no calendar, which Date.parse rolls over: 2026-02-31 would be 3 March. */
function parseInstant(text: string): number {
  const day = text.slice(0, 10);
  const midnightMs = Date.parse(`${day}T00:00:00Z`);
  const isDay = !Number.isNaN(midnightMs) && new Date(midnightMs).toISOString().startsWith(day);
  return isDay ? Date.parse(text) : NaN;
}

class Fault {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

function readValue(text: string, { type }: OptionSpec): unknown {
  switch (type.kind) {
    case 'text':
      return text;
    case 'flag':
      return /^(true|1|yes)$/i.test(text)
        ? true
        : /^(false|0|no)$/i.test(text)
          ? false
          : new Fault(`"${text}" is neither true nor false.`);
    case 'integer': {
      const value = Number(text);
      if (/^\d+$/.test(text) && value >= type.min && value <= type.max) return value;
      return new Fault(`"${text}" is no whole number from ${type.min} to ${type.max}.`);
    }
    case 'choice':
      return type.choices.includes(text) ? text : new Fault(`"${text}" is none of ${type.choices.join(', ')}.`);
    case 'list':
      return text
        .split(',')
        .map((word) => word.trim())
        .filter((word) => word !== '');
    case 'words':
      return text === '' ? [] : text.split(WORD_END);
    case 'instant': {
      const instantMs = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text)
        ? parseInstant(text)
        : NaN;
      return Number.isNaN(instantMs)
        ? new Fault(`"${text}" is no instant such as 2026-11-23T00:00:00+08:00.`)
        : instantMs;
    }
    case 'url': {
      const url = URL.canParse(text) ? new URL(text) : undefined;
      const isPlain = url && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '';
      return isPlain ? text.replace(/\/+$/, '') : new Fault(`"${text}" is no http(s) address without query.`);
    }
    case 'listen': {
      const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text);
      if (!match || Number(match[3]) > 65_535) return new Fault(`"${text}" is no HOST:PORT such as 127.0.0.1:8080.`);
      return { host: match[1] ?? match[2], port: Number(match[3]) } satisfies Record<keyof ListenAddress, unknown>;
    }
  }
}

function unknownVariables(environment: NodeJS.ProcessEnv): string[] {
  const known = new Set((Object.keys(OPTION_TABLE) as OptionName[]).map(environmentName));
  return Object.keys(environment)
    .filter((name) => name.startsWith('TIDEGATE_') && !known.has(name))
    .map((name) => `The environment variable ${name} names no option that is read from there; see --help.`);
}
