/**
 * Ends a test file that does not end; `npm test` loads it before every test file. A test that hangs ends by its time-out; but what
 * a test leaves open (a server, a socket, a timer) keeps its process alive after the last test, and the run would wait for ever.
 */
import { writeSync } from 'node:fs';
import { after } from 'node:test';
import { isMainThread } from 'node:worker_threads';

/** What a file may take to end after its last test. */
const LEFT_MS = 10_000;

const file = process.argv[1] ?? '';

// Threads and processes that a test starts inherit the option that loads this; they are no test files.
if (isMainThread && file.endsWith('.test.ts')) {
  after(() => {
    setTimeout(() => {
      const open = process.getActiveResourcesInfo().filter((name) => name !== 'PipeWrap'); // stdout and stderr
      const what = open.length === 0 ? 'something' : open.join(', ');
      writeSync(
        2,
        `${file} does not end: its tests have left open ${what}. What a test opens, it closes with atEnd.\n`,
      );
      process.exit(1);
    }, LEFT_MS).unref();
  });
}
