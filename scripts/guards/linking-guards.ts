/** Guards of server events, which are given a visitor after the seal. */
import type { Guard } from './guard.ts';

const LINK = 'src/store/hour-log/link-server-events.ts';
const LINK_TEST = 'src/store/hour-log/link-server-events.test.ts';
const EVENTS_TEST = 'test/server-events.e2e.test.ts';

export const LINKING_GUARDS: readonly Guard[] = [
  {
    name: 'link-first-copy',
    protects: 'L2: copies of a server event get what the first of them found, and are one row',
    file: LINK,
    find: 'this.#addEvent(cursor, firstSendTimeMs);',
    replacement: 'this.#addEvent(cursor, sendTimeMs);',
    test: { file: EVENTS_TEST, name: 'copies of a server event' },
  },
  {
    name: 'link-resend',
    protects: "L3: a server event that was sent again across its hour's end is one row",
    file: LINK,
    find: 'if (!isPublished) {',
    replacement: 'if (sendTimeMs > 0) {',
    test: { file: EVENTS_TEST, name: 'copies of a server event' },
  },
  {
    name: 'link-hours',
    protects: 'a page of more than four hours before gives a server event no visitor',
    file: LINK,
    find: 'pageMs >= readKeyTime(block, loginEnd + 1) - LINK_MS;',
    replacement: 'pageMs > -Infinity;',
    test: { file: EVENTS_TEST, name: 'the four hours before a server event' },
  },
  {
    name: 'link-whole-login',
    protects: 'a login user is not taken for another who is cut to the same',
    file: 'src/events/server-event.ts',
    find: '{ login: digestOfText(login) };',
    replacement: '{};',
    test: { file: EVENTS_TEST, name: 'a server event' },
  },
  {
    name: 'link-damaged-neighbour',
    protects: "an hour's damage is its own, and fails none of the four after it",
    file: LINK,
    find: "if (!isLastingDamage(error) && !isSystemError(error, 'ENOENT')) throw error;",
    replacement: 'if (error) throw error;',
    test: { file: LINK_TEST, name: 'does without a damaged run of an hour before' },
  },
  {
    name: 'prepared-by-another',
    protects: 'a server that prepares an hour which another has prepared meanwhile does not fail it',
    file: 'src/store/hour-log/hour-log.ts',
    find: 'if (!isReady()) throw error;',
    replacement: 'throw error;',
    test: { file: LINK_TEST, name: 'is done when another process has done it' },
  },
  {
    name: 'ready-once',
    protects: 'F2: of two that prepare an hour the first decides what it holds',
    file: 'src/store/hour-log/hour-log.ts',
    find: 'const isFirst = (await',
    replacement: 'await rm(readyPath(root, hour), { force: true });\n    const isFirst = (await',
    test: { file: LINK_TEST, name: 'leaves nothing behind of the second of two that do it at once' },
  },
];
