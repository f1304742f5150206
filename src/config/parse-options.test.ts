import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigurationError } from '../errors/app-error.ts';
import { parseOptions } from './parse-options.ts';

const COMMAND = { options: ['export-from'], required: [], takesPositionals: false } as const;

test('an instant is taken as it is written, and none that is in no calendar', () => {
  const read = (text: string): unknown =>
    parseOptions(['--export-from', text], {}, COMMAND).values.optionalInstantMs('export-from');
  assert.equal(read('2028-02-29T08:00:00+08:00'), Date.UTC(2028, 1, 29));
  for (const text of ['2026-02-29', '2026-02-31T00:00:00Z', '2026-04-31T23:59:59+08:00', '2026-13-01', 'yesterday']) {
    assert.throws(() => read(text), ConfigurationError, text);
  }
});

test('an option of the command line alone is taken neither from the environment nor by default', () => {
  const environment = { TIDEGATE_RETENTION_DAYS: '3', TIDEGATE_CALL_LIMIT: '4' };
  const command = {
    options: ['retention-days', 'call-limit', 'trusted-proxies', 'at-once'],
    required: [],
    argumentsOnly: ['retention-days', 'trusted-proxies', 'at-once'],
    takesPositionals: false,
  } as const;
  const { values } = parseOptions([], environment, command);
  assert.equal(values.optionalInteger('retention-days'), undefined);
  assert.equal(values.optionalList('trusted-proxies'), undefined);
  assert.equal(values.flag('at-once'), false);
  assert.equal(values.integer('call-limit'), 4);
  const given = parseOptions(['--retention-days', '9', '--trusted-proxies=', '--at-once'], environment, command).values;
  assert.equal(given.optionalInteger('retention-days'), 9);
  assert.deepEqual(given.optionalList('trusted-proxies'), []);
  assert.equal(given.flag('at-once'), true);
});

test('what a command is to do is said on its line alone, and a variable that would say it is a fault', () => {
  const command = { options: ['visitor', 'xpath', 'json', 'data'], required: [], takesPositionals: false } as const;
  const { values } = parseOptions([], { TIDEGATE_DATA: '/srv/tidegate', PATH: '/bin' }, command);
  assert.deepEqual([values.text('data'), values.optionalText('xpath')], ['/srv/tidegate', undefined]);
  for (const name of ['TIDEGATE_VISITOR', 'TIDEGATE_XPATH', 'TIDEGATE_JSON', 'TIDEGATE_DATE'])
    assert.throws(
      () => parseOptions([], { [name]: 'x' }, command),
      (error) => error instanceof ConfigurationError && error.faults.length === 1 && error.faults[0]!.includes(name),
    );
});

test('an empty variable is as one that is not set, but for a list', () => {
  const command = { options: ['listen', 'retention-days', 'data', 'trusted-proxies'], required: [] } as const;
  const environment = {
    TIDEGATE_LISTEN: '',
    TIDEGATE_RETENTION_DAYS: '',
    TIDEGATE_DATA: '',
    TIDEGATE_TRUSTED_PROXIES: '',
  };
  const { values } = parseOptions([], environment, { ...command, takesPositionals: false });
  assert.deepEqual(values.listen('listen'), { host: '127.0.0.1', port: 8080 });
  assert.equal(values.integer('retention-days'), 15);
  assert.equal(values.text('data'), './data');
  assert.deepEqual(values.list('trusted-proxies'), []);
});

test('words are taken as they are, with line breaks and commas, and an empty one is not left out', () => {
  const command = { options: ['visitor'], required: [], takesPositionals: false } as const;
  const { values } = parseOptions(['--visitor', 'a\nb', '--visitor', 'c,d', '--visitor', ''], {}, command);
  assert.deepEqual(values.list('visitor'), ['a\nb', 'c,d', '']);
});

test('an option without a text is a fault, and not as if it were not there', () => {
  const command = { options: ['xpath', 'index', 'clear', 'json'], required: [], takesPositionals: false } as const;
  for (const args of [['--xpath', ''], ['--xpath='], ['--index='], ['--xpath']])
    assert.throws(() => parseOptions(args, {}, command), /needs a value/, args.join(' '));
  assert.deepEqual(parseOptions(['--clear='], {}, command).values.list('clear'), []);
  assert.throws(
    () => parseOptions(['--index', '-1'], {}, command),
    /^ConfigurationError: --index needs a value\. A value that begins with - is written --index=-1\.$/,
  );
  assert.equal(parseOptions(['--xpath=-x'], {}, command).values.text('xpath'), '-x');
});
