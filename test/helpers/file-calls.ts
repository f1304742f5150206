/**
 * Records which system calls on files a program makes, in their order, as strace sees them: what the kernel was asked to make
 * durable, and when. Needs strace; see NO_TRACE in machine-faults.ts.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { accessSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PATIENCE_MS } from './wait-until.ts';

/** A call that succeeded, or a mark. */
export type FileCall = {
  readonly name: 'mark' | 'create' | 'write' | 'sync' | 'rename' | 'link' | 'unlink';
  /** The file; for `rename` and `link` the name that it gets. */
  readonly path: string;
  /** For `rename` and `link`, the name that it had. */
  readonly from?: string;
  /** Places in the trace: the call was entered at the one and had returned at the other. */
  readonly begunAt: number;
  readonly endedAt: number;
};

const NAMES: Readonly<Record<string, FileCall['name']>> = {
  openat: 'create',
  mkdir: 'create',
  mkdirat: 'create',
  write: 'write',
  writev: 'write',
  pwrite64: 'write',
  pwritev: 'write',
  pwritev2: 'write',
  fsync: 'sync',
  fdatasync: 'sync',
  rename: 'rename',
  renameat: 'rename',
  renameat2: 'rename',
  link: 'link',
  linkat: 'link',
  unlink: 'unlink',
  unlinkat: 'unlink',
};
const MARK = '/no-such-folder/mark-';

/** Leaves a mark in the trace. Called by the program that is traced. */
export function mark(name: string): void {
  try {
    accessSync(MARK + name);
  } catch {
    // there is no such file: only the call counts
  }
}

/**
 * Runs a program in a folder, which is its argument, under strace, and gives its calls in the order of their ends.
 * @throws Error when the program fails
 */
export async function traceFileCalls(program: string, folder: string): Promise<readonly FileCall[]> {
  const output = join(folder, 'trace');
  const calls = ['access', 'faccessat', 'faccessat2', ...Object.keys(NAMES)].join(',');
  const strace = ['-f', '-y', '-s', '4096', '-e', `trace=${calls}`, '-o', output, process.execPath, program, folder];
  await promisify(execFile)('strace', strace, { timeout: PATIENCE_MS });
  return parseTrace(await readFile(output, 'utf8'));
}

/** A call that another thread's interrupts is written in two halves: `call(… <unfinished ...>` and `<... call resumed>…`. */
function parseTrace(text: string): FileCall[] {
  const begun = new Map<string, { readonly half: string; readonly at: number }>();
  return text.split('\n').flatMap((line, at) => {
    const [, thread = '', entry = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    if (entry.endsWith('<unfinished ...>')) {
      begun.set(thread, { half: entry.slice(0, -'<unfinished ...>'.length), at });
      return [];
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(entry);
    const first = resumed ? begun.get(thread) : undefined;
    const call = parseCall(first ? first.half + resumed![1]! : entry);
    return call ? [{ ...call, begunAt: first?.at ?? at, endedAt: at }] : [];
  });
}

function parseCall(entry: string): Pick<FileCall, 'name' | 'path' | 'from'> | undefined {
  const [, call = '', parameters = '', result = ''] = /^(\w+)\((.*)\)\s+= (-?\d+)/.exec(entry) ?? [];
  const marked = /"\/no-such-folder\/mark-([^"]*)"/.exec(parameters)?.[1];
  if (marked !== undefined) return { name: 'mark', path: marked };
  const name = NAMES[call];
  if (name === undefined || Number(result) < 0) return undefined;
  if (call === 'openat' && !parameters.includes('O_CREAT')) return undefined;
  const quoted = [...parameters.matchAll(/"([^"]*)"/g)].map((match) => match[1]!);
  if (name === 'rename' || name === 'link') return { name, path: quoted[1]!, from: quoted[0]! };
  const path = name === 'write' || name === 'sync' ? /^\d+<([^>]*)>/.exec(parameters)?.[1] : quoted[0];
  return path === undefined ? undefined : { name, path };
}

/** Looks for calls one behind the other in a trace; each must have begun after the one before it had ended. */
export class CallOrder {
  readonly #calls: readonly FileCall[];
  #last: FileCall | undefined;

  constructor(calls: readonly FileCall[]) {
    this.#calls = calls;
  }

  /** Finds the next call of this name on a file whose path fits. Fails when there is none. */
  then(name: FileCall['name'], path: RegExp | string): FileCall {
    const fits = (call: FileCall): boolean =>
      call.name === name && (typeof path === 'string' ? call.path === path : path.test(call.path));
    const found = this.#calls.find((call) => fits(call) && call.begunAt > (this.#last?.endedAt ?? -1));
    const after = this.#last ? ` after ${this.#last.name} ${this.#last.path}` : '';
    assert.ok(found, `there is no ${name} ${String(path)}${after}`);
    this.#last = found;
    return found;
  }

  /** Goes on before this mark: what comes next must have ended before it. */
  before(markName: string): CallOrder {
    const end = this.#calls.findIndex(({ name, path }) => name === 'mark' && path === markName);
    assert.ok(end >= 0, `there is no mark ${markName}`);
    const earlier = new CallOrder(this.#calls.slice(0, end));
    earlier.#last = this.#last;
    return earlier;
  }
}
