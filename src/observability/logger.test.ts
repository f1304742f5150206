import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hourOf } from '../events/hour.ts';
import { openLogger } from './logger.ts';

test('an hour is logged by the name that commands take, and an error as ever', () => {
  const lines: string[] = [];
  const logger = openLogger('info', { write: (line) => void lines.push(line) });
  logger.info({ ai: 'shop', hour: hourOf(Date.parse('2026-11-23T23:59:59Z')) }, 'Hour exported.');
  logger.error({ err: new Error('why'), hour: '2026112407' }, 'Export failed.');
  const [exported, failed] = lines.map((line) => JSON.parse(line) as { hour: string; err?: { message: string } });
  assert.equal(exported?.hour, '2026112407');
  assert.equal(failed?.hour, '2026112407');
  assert.equal(failed.err?.message, 'why');
});
