/** PostgreSQL as a peer: COPY into a table without an index, one transaction for all requests that wait. */
import { execFileSync, spawn } from 'node:child_process';
import { chmod, chown, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { waitFor } from '../../src/lib/clock.ts';
import { ACTION_COLUMNS, tabSeparated } from './action-rows.ts';
import { importPeer } from './import-peer.ts';
import type { RowStore } from './row-store.ts';

type Client = {
  connect(): Promise<void>;
  query(sql: string): Promise<unknown>;
  query(copy: Writable): Writable;
};
type ClientClass = new (options: { host: string; user: string; database: string }) => Client;

const INSTALLED = '/usr/lib/postgresql';
/** Room enough that no checkpoint falls into a run; fsync and synchronous_commit stay at their default, on. */
const SETTINGS = ['listen_addresses=', 'shared_buffers=512MB', 'max_wal_size=8GB', 'checkpoint_timeout=1h'];

/** Starts a server of its own in a folder, on a socket there, as a child of this process. */
export async function openPostgresStore(folder: string): Promise<RowStore> {
  const version = (await readdir(INSTALLED)).sort((a, b) => Number(a) - Number(b)).at(-1)!;
  const programs = join(INSTALLED, version, 'bin');
  const user = await ownFolder(folder);
  const data = join(folder, 'data');
  const asUser = { cwd: folder, ...user };
  execFileSync(join(programs, 'initdb'), ['-D', data, '-U', 'bench', '-A', 'trust', '--no-sync'], {
    ...asUser,
    stdio: 'ignore',
  });
  const settings = SETTINGS.flatMap((setting) => ['-c', setting]);
  const server = spawn(join(programs, 'postgres'), ['-D', data, '-k', folder, ...settings], {
    ...asUser,
    stdio: 'ignore',
  });
  // It ends with this process: SIGQUIT is PostgreSQL's immediate shutdown, which takes its own children along.
  process.once('exit', () => server.kill('SIGQUIT'));
  const client = await connect(folder);
  const columns = ACTION_COLUMNS.map(({ name, isNumber }) => `"${name}" ${isNumber ? 'bigint' : 'text'}`);
  await client.query(`CREATE TABLE action (${columns.join(', ')})`);
  const { from } = (await importPeer('pg-copy-streams')) as { from: (sql: string) => Writable };
  return {
    append: async (rows) => {
      const copy = client.query(from('COPY action FROM STDIN'));
      copy.end(tabSeparated(rows));
      await finished(copy);
    },
  };
}

/** PostgreSQL refuses to run as root: it gets the user that Debian made for it. */
async function ownFolder(folder: string): Promise<{ uid?: number; gid?: number }> {
  if (process.getuid?.() !== 0) return {};
  const [uid, gid] = ['-u', '-g'].map((option) => Number(execFileSync('id', [option, 'postgres'])));
  await chown(folder, uid!, gid!);
  await chmod(folder, 0o700);
  return { uid: uid!, gid: gid! };
}

async function connect(folder: string): Promise<Client> {
  const { default: pg } = (await importPeer('pg')) as { default: { Client: ClientClass } };
  for (let tries = 0; ; tries += 1) {
    const client = new pg.Client({ host: folder, user: 'bench', database: 'postgres' });
    try {
      await client.connect();
      return client;
    } catch (error) {
      if (tries === 100) throw error;
      await waitFor(100);
    }
  }
}
