/** The thread that works on the click index: one call after the other, each answered with its result or its error. */
import { parentPort, workerData } from 'node:worker_threads';
import { AppError } from '../errors/app-error.ts';
import type { ErrorCode } from '../errors/catalogue.ts';
import { ClickIndexFile } from './click-index-file.ts';

/** What the thread can do: the methods of the file. */
export type ClickIndexCall = {
  [Name in Method]: {
    readonly id: number;
    readonly name: Name;
    readonly args: Parameters<ClickIndexFile[Name]>;
  };
}[Method];

type Method = 'addClicks' | 'claim' | 'confirm' | 'release' | 'forget' | 'wipe' | 'deleteBefore';

export type ClickIndexReply = { readonly id: number } & (
  { readonly result: unknown } | { readonly error: { readonly code: ErrorCode; readonly message: string } }
);

export type ClickIndexSettings = { readonly path: string; readonly syncs: boolean };

function run(file: ClickIndexFile, { name, args }: ClickIndexCall): unknown {
  switch (name) {
    case 'addClicks':
      file.addClicks(...args);
      return undefined;
    case 'claim':
      return file.claim(...args);
    case 'confirm':
      file.confirm(...args);
      return undefined;
    case 'release':
      file.release(...args);
      return undefined;
    case 'forget':
      file.forget(...args);
      return undefined;
    case 'wipe':
      return file.wipe();
    case 'deleteBefore':
      file.deleteBefore(...args);
      return undefined;
  }
}

if (parentPort) {
  const port = parentPort;
  let file: ClickIndexFile | undefined;
  port.on('message', (call: ClickIndexCall | 'close') => {
    if (call === 'close') {
      file?.close();
      port.close();
      return;
    }
    try {
      // Opened by the first call, and again by the next one when it could not be.
      file ??= ClickIndexFile.open(workerData as ClickIndexSettings);
      port.postMessage({ id: call.id, result: run(file, call) } satisfies ClickIndexReply);
    } catch (error) {
      const code = error instanceof AppError ? error.code : 'internal';
      const message = error instanceof Error ? error.message : String(error);
      port.postMessage({ id: call.id, error: { code, message } } satisfies ClickIndexReply);
    }
  });
}
