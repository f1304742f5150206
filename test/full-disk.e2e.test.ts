/** A server whose disk is full tells its clients and its operator, and recovers by itself; here without a mount. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isReady, post, unreadiness } from './helpers/ask-server.ts';
import { failDisk } from './helpers/failing-disk.ts';
import { startTestServer } from './helpers/test-server.ts';
import { waitUntil } from './helpers/wait-until.ts';

describe('a server whose disk is full', () => {
  it('answers 503 with Retry-After, is not ready and says why, until there is room', async (t) => {
    const server = await startTestServer(t);
    assert.equal((await post(server, ['before'])).status, 200);
    assert.ok(await isReady(server));
    const disk = await failDisk(t, { call: 'writev', code: 'ENOSPC' });
    const { status, retryAfter } = await post(server, ['refused']);
    assert.equal(status, 503);
    assert.match(retryAfter, /^\d+$/);
    assert.match(await unreadiness(server, 'store'), /^Events are refused: the disk is full \(ENOSPC\)/);
    disk.mend();
    await waitUntil('the server is ready', () => isReady(server));
    assert.equal((await post(server, ['after'])).status, 200);
  });
});
