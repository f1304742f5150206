/** The table of guards fits the source: `npm run guards` takes minutes, and would find it out of date only then. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { GUARDS } from '../scripts/guards/guard-table.ts';
import { switchOff } from '../scripts/guards/guard.ts';
import { runTests } from '../scripts/guards/run-tests.ts';
import { judge } from '../scripts/guards/verdict.ts';
import { temporaryFolder } from './helpers/temporary-folder.ts';
import { PATIENCE_MS } from './helpers/wait-until.ts';

const ROOT = join(import.meta.dirname, '..');

describe('the table of guards', () => {
  it('names each guard once', () => {
    const names = GUARDS.map(({ name }) => name);
    assert.deepEqual(names, [...new Set(names)]);
    for (const name of names) assert.match(name, /^[a-z0-9]+(-[a-z0-9]+)*$/);
  });

  for (const guard of GUARDS) {
    it(`fits the source and the tests: ${guard.name}`, () => {
      assert.notEqual(switchOff(ROOT, guard), '');
      const { file, name, namedIn = file } = guard.test;
      assert.match(file, /\.test\.ts$/);
      assert.ok(existsSync(join(ROOT, file)), `there is no ${file}`);
      const source = readFileSync(join(ROOT, namedIn), 'utf8');
      assert.ok(source.includes(name), `no test of ${namedIn} is named "${name}"`);
      const subtest = new RegExp(`\\bt\\.test\\(\\s*['"\`].*${RegExp.escape(name)}`);
      assert.doesNotMatch(source, subtest, 'a subtest is not found by its own name: name the test that it is part of');
    });
  }
});

describe('a guard that is switched off', () => {
  const cases = [
    { what: 'is seen by an assertion', body: 'assert.equal(1, 2);', isSeen: true, line: /^red: suite the test$/ },
    {
      what: 'is seen by an assertion below another error',
      body: "throw new Error('a property failed', { cause: new assert.AssertionError({ message: 'no' }) });",
      isSeen: true,
      line: /^red: suite the test$/,
    },
    { what: 'is not seen by a test that passes', body: 'assert.equal(1, 1);', isSeen: false, line: /^STAYED GREEN$/ },
    {
      what: 'is not seen by a TypeError',
      body: 'undefined();',
      isSeen: false,
      line: /^NO ASSERTION FAILED, but suite the/,
    },
    { what: 'is not seen by a file that does not load', body: ')', isSeen: false, line: /^NO TEST RAN\./ },
    {
      what: 'is not seen by a time-out',
      body: 'for (;;);',
      isSeen: false,
      line: /^DID NOT END in time$/,
      timeoutMs: 2_000,
    },
  ];

  for (const { what, body, isSeen, line, timeoutMs = PATIENCE_MS } of cases) {
    it(what, async (t) => {
      const folder = await temporaryFolder(t);
      const head = "import assert from 'node:assert/strict';\nimport { describe, it } from 'node:test';\n";
      const tests = `describe('suite', () => { it('the test', () => { ${body} }); it('another', () => undefined); });`;
      await writeFile(join(folder, 'some.test.mjs'), head + tests);
      const options = { file: 'some.test.mjs', names: ['the test'], timeoutMs };
      const verdict = judge(await runTests(folder, options, new AbortController().signal));
      assert.match(verdict.lines.join('\n'), line);
      assert.equal(verdict.isSeen, isSeen);
    });
  }

  it('is out of date when its text is not in the source once', () => {
    const guard = { ...GUARDS[0]!, find: 'a text that stands nowhere' };
    assert.throws(() => switchOff(ROOT, guard), /is out of date: its text stands in .* 0 times instead of once/);
  });
});
