/** Lets the disk fail inside this process, where no mount and no strace is needed: the writes and syncs of its open files. */
import { open, type FileHandle } from 'node:fs/promises';
import type { TestContext } from 'node:test';

type Call = 'datasync' | 'writev';

export type FailingDisk = {
  /** How many calls there were since it fails. */
  calls(): number;
  /** Lets the calls through again. */
  mend(): void;
};

/** Lets every such call fail with this code until `mend`, or the end of the test; at most `times` of them. */
export async function failDisk(
  context: TestContext,
  { call, code, times = Infinity }: { readonly call: Call; readonly code: 'EIO' | 'ENOSPC'; readonly times?: number },
): Promise<FailingDisk> {
  const handle = await open('/dev/null');
  const prototype = Object.getPrototypeOf(handle) as Pick<FileHandle, Call>;
  await handle.close();
  let calls = 0;
  let isMended = false;
  // eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- one stand-in for methods of several signatures
  const original = prototype[call] as Function;
  const standIn = function (this: FileHandle, ...parameters: unknown[]): unknown {
    calls += 1;
    if (isMended || calls > times) return original.apply(this, parameters);
    return Promise.reject(Object.assign(new Error(`${code}: the test's disk fails`), { code, syscall: call }));
  };
  context.mock.method(prototype, call, standIn as never);
  return { calls: () => calls, mend: () => void (isMended = true) };
}
