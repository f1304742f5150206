import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RecordWriter } from './record-writer.ts';

const MIB = 1024 * 1024;

describe('RecordWriter', () => {
  test('does not keep the memory of a request that was far larger than others', () => {
    const writer = new RecordWriter(128 * MIB);
    writer.reserve(100 * MIB);
    assert.ok(writer.bytes.length >= 100 * MIB);
    writer.clear();
    assert.ok(writer.bytes.length <= 16 * MIB, `${writer.bytes.length} bytes are kept`);
    writer.clearBehind(Buffer.from('[]'));
    assert.equal(writer.bytes.toString('latin1', 0, writer.at), '[]');
  });

  test('keeps the memory of a usual request', () => {
    const writer = new RecordWriter(128 * MIB);
    writer.reserve(5 * MIB);
    const { bytes } = writer;
    writer.clear();
    assert.equal(writer.bytes, bytes);
  });
});
