import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { hashHere, openPoolHashes, type HashOpener } from './stream-hash.ts';

const inPool = await openPoolHashes();
const ways: readonly { readonly name: string; readonly open: HashOpener; readonly skip?: string }[] = [
  { name: 'a hash in the calling thread', open: hashHere },
  {
    name: 'a hash in the pool',
    open: inPool,
    ...(inPool === hashHere && { skip: 'this machine has none' }),
  },
];

for (const { name, open, skip } of ways) {
  describe(name, { skip: skip ?? false }, () => {
    it('gives what Node gives, whatever the pieces and whoever hashes each', async () => {
      const [hash, expected] = [open(), createHash('sha256')];
      for (const [place, length] of [0, 1, 63, 64, 65, 8000, 524_288].entries()) {
        const bytes = Buffer.allocUnsafeSlow(length).fill(`piece ${place}`);
        if (place % 2 === 0) await hash.update(bytes);
        else hash.updateHere(bytes);
        expected.update(bytes);
      }
      assert.equal(hash.digest(), expected.digest('hex'));
    });

    it('keeps streams apart that are hashed side by side', async () => {
      const pieces = Array.from({ length: 20 }, (_, seed) => Buffer.alloc(70_000 + seed, seed));
      const digests = await Promise.all(
        pieces.map(async (bytes) => {
          const hash = open();
          await hash.update(bytes);
          await hash.update(bytes);
          return hash.digest();
        }),
      );
      for (const [place, bytes] of pieces.entries())
        assert.equal(digests[place], createHash('sha256').update(bytes).update(bytes).digest('hex'));
    });

    it('can be closed at any time between its updates', async () => {
      const hash = open();
      await hash.update(Buffer.from('abc'));
      hash.close();
      hash.close();
    });
  });
}

describe('a hash in the pool', { skip: inPool === hashHere && 'this machine has none' }, () => {
  it('refuses what its memory would not survive', async () => {
    const hash = inPool();
    const bytes = Buffer.allocUnsafeSlow(1_000_000).fill(7);
    const running = hash.update(bytes);
    assert.throws(() => hash.digest(), /still busy/);
    assert.throws(() => hash.updateHere(bytes), /still busy/);
    await assert.rejects(hash.update(bytes), /still busy/);
    await running;
    assert.equal(hash.digest(), createHash('sha256').update(bytes).digest('hex'));
    assert.throws(() => hash.digest(), /is closed/);
    await assert.rejects(hash.update(bytes), /is closed/);
  });
});
