/** The check of a soak is only worth something if it goes red: here rows are taken away, doubled and changed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { headerLine } from '../../src/events/data-types.ts';
import { addHours, hourOf, type Hour } from '../../src/events/hour.ts';
import { mapEvents } from '../../src/events/map-events.ts';
import { PageDomains } from '../../src/events/page-domains.ts';
import { NO_RULES } from '../../src/rules/rule-set.ts';
import { UserAgents } from '../../src/events/user-agent.ts';
import { HOUR_START_MS } from '../helpers/event-rows.ts';
import { TEST_PROJECT } from '../helpers/test-server.ts';
import { checkPackage } from './check-exports.ts';
import { EventAccount } from './event-account.ts';
import { LEDGER_SUMS, sumLedger } from './ledger-sums.ts';
import { encodeEvents } from './soak-event.ts';
import { parseSoakOptions } from './soak-options.ts';
import { failuresOf, tableOf, type SoakFindings } from './soak-report.ts';

const HOUR = hourOf(HOUR_START_MS);
const SENT_AT_MS = HOUR_START_MS + 60_000;
const EVENTS = 20;

/** Sends events without a server: what the product's mapping makes of them, in the order in which they were sent. */
function exportedLines(account: EventAccount): readonly string[] {
  const first = account.take(0, EVENTS);
  account.acknowledge(first, EVENTS);
  const elements = JSON.parse(encodeEvents(first, EVENTS, SENT_AT_MS).toString()) as unknown[];
  const { rows } = mapEvents(
    { ai: TEST_PROJECT.ai, pathWord: 'web', elements, oversize: new Map(), ip: null, userAgent: null },
    {
      pageDomains: new PageDomains(),
      userAgents: new UserAgents(),
      onCut: () => undefined,
      rulesOf: () => NO_RULES,
    },
  );
  return rows.map(({ lineHead, lineTail }) => `${lineHead}${SENT_AT_MS + 5}${lineTail}`);
}

/** Checks what `change` makes of the exported lines, and gives the sentences of the report. */
function failuresAfter(change: (lines: readonly string[]) => readonly string[], hour: Hour = HOUR): readonly string[] {
  const account = new EventAccount(1);
  const faults: string[] = [];
  const lines = change(exportedLines(account));
  const rows = checkPackage([headerLine('custom_event'), ...lines].join(''), hour, { account, faults });
  return failuresOf(
    findingsOf({ account: account.summary(), rows, ledger: { ...LEDGER_SUMS, exported: rows }, faults }),
  );
}

function findingsOf(findings: Partial<SoakFindings>): SoakFindings {
  const account = new EventAccount(1);
  account.acknowledge(account.take(0, 1), 1);
  account.countRow({ client: 0, place: 0 }, 'an hour');
  return {
    options: parseSoakOptions([]),
    loadSeconds: 1,
    account: account.summary(),
    load: {
      requests: 1,
      resentWithoutAnswer: 0,
      resentAfterAnswer: 0,
      resentInNextHour: 0,
      refused: 0,
      longestSilenceMs: 1,
    },
    kills: { server: 1, parent: 0, 'one collector': 0, 'all collectors': 0 },
    failedStarts: 0,
    waitedMs: [1_000],
    packages: 1,
    rows: 1,
    ledger: { ...LEDGER_SUMS, exported: 1 },
    ledgerFaults: [],
    verifyFaults: [],
    faults: [],
    ...findings,
  };
}

describe('the check of a soak', () => {
  it('passes what the product exports of what was sent', () => {
    assert.deepEqual(
      failuresAfter((lines) => lines),
      [],
    );
  });

  it('fails when a row is lost', () => {
    assert.deepEqual(
      failuresAfter((lines) => lines.toSpliced(4, 1)),
      ['1 acknowledged events are lost.', 'event 0/4 was acknowledged and is lost.'],
    );
  });

  it('fails when a row is doubled', () => {
    assert.deepEqual(
      failuresAfter((lines) => [...lines, lines[9]!]),
      ['1 rows are doubled.', 'event 0/9 is a second time in hour 2026112312.'],
    );
  });

  const changes = [
    {
      name: 'of another event',
      change: (line: string) => line.replace('/7,', '/8,'),
      says: /page of event 0\/7 is \/8/,
    },
    {
      name: 'of another visitor',
      change: (line: string) => line.replace('visitor-0', 'visitor-1'),
      says: /visitUserId/,
    },
    { name: 'with a variable cut', change: (line: string) => line.replace('苹果', ''), says: /eventVariable/ },
    {
      name: 'of another number',
      change: (line: string) => line.replace(',7,', ',9,'),
      says: /eventNumber of event 0\/7/,
    },
  ];
  for (const { name, change, says } of changes) {
    it(`fails when a row is ${name}`, () => {
      const failures = failuresAfter((lines) => lines.with(7, change(lines[7]!)));
      assert.match(failures.join('\n'), says);
      assert.match(failures.join('\n'), /event 0\/7 was acknowledged and is lost/);
    });
  }

  it('fails when rows lie in an hour that is not that of their send time', () => {
    assert.match(
      failuresAfter((lines) => lines, addHours(HOUR, 1)).join('\n'),
      /sendTime of event 0\/0 is \d+, outside/,
    );
  });

  const others: readonly { name: string; findings: Partial<SoakFindings>; says: RegExp }[] = [
    { name: 'an hour is late', findings: { waitedMs: [60_001] }, says: /1 hours were not FINISHED within 60 s/ },
    { name: 'the ledgers have other sums', findings: { rows: 2 }, says: /The ledgers say 1 rows; the packages have 2/ },
    {
      name: 'events were rejected',
      findings: { ledger: { ...LEDGER_SUMS, exported: 1, rejected: 1 } },
      says: /rejected/,
    },
    { name: 'verify finds a fault', findings: { verifyFaults: ['no'] }, says: /^no\.$/ },
    { name: 'nothing was acknowledged', findings: { account: new EventAccount(1).summary() }, says: /No event/ },
  ];
  for (const { name, findings, says } of others) {
    it(`fails when ${name}`, () => assert.match(failuresOf(findingsOf(findings)).join('\n'), says));
  }

  it('passes, and prints its counts, when nothing is wrong', () => {
    assert.deepEqual(failuresOf(findingsOf({})), []);
    assert.match(tableOf(findingsOf({})), /^lost +0$/m);
  });

  it('sees a ledger that does not balance', () => {
    const ledger = {
      events: { custom_event: { received: 5, accepted: 3, rejected: 1, ignored: 0 } },
      rows: { custom_event: { made: 3, exported: 2, duplicates: 0 } },
      imported: 0,
    };
    const sums = { ...LEDGER_SUMS };
    assert.equal(sumLedger('2026112312', JSON.stringify({ ledger }), sums).length, 2);
    assert.deepEqual(sums, { received: 5, rejected: 1, ignored: 0, exported: 2, duplicates: 0 });
  });
});
