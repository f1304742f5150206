/**
 * PostgreSQL as a peer, one transaction for all requests that wait: COPY into a table without an index, or such that no event that is
 * sent again is stored twice.
 */
import { execFileSync, spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { chmod, chown, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { waitFor } from '../../src/lib/clock.ts';
import { ACTION_COLUMNS, tabSeparated, type ActionRow } from './action-rows.ts';
import { importPeer } from './import-peer.ts';
import type { RowStore } from './row-store.ts';

type Client = {
  connect(): Promise<void>;
  query(sql: string): Promise<unknown>;
  query(copy: Writable): Writable;
};
type ClientClass = new (options: { host: string; user: string; database: string }) => Client;

const COLUMNS = ACTION_COLUMNS.map(({ name, isNumber }) => `"${name}" ${isNumber ? 'bigint' : 'text'}`).join(', ');
/** As many digits of the hash as Tidegate's own ids have. */
const ID_DIGITS = 27;
const INSTALLED = '/usr/lib/postgresql';
/** Room enough that no checkpoint falls into a run; fsync and synchronous_commit stay at their default, on. */
const SETTINGS = ['listen_addresses=', 'shared_buffers=512MB', 'max_wal_size=8GB', 'checkpoint_timeout=1h'];

/** Stores rows as they come. */
export async function openPostgresStore(folder: string): Promise<RowStore> {
  const client = await startPostgres(folder);
  await client.query(`CREATE TABLE action (${COLUMNS})`);
  return { append: (rows) => copyInto(client, 'action', rows) };
}

/**
 * Stores each row once, by an id of what it holds: COPY cannot leave out what is there already, so it goes by way of a temporary table.
 * A real id would not hold the send time; here it does, because the load sends the same events again and again.
 */
export async function openPostgresOnceStore(folder: string): Promise<RowStore> {
  const client = await startPostgres(folder);
  await client.query(`CREATE TABLE action (${COLUMNS}, PRIMARY KEY ("actionRequestId"))`);
  await client.query(`CREATE TEMPORARY TABLE arrived (${COLUMNS}) ON COMMIT DELETE ROWS`);
  return {
    append: async (rows) => {
      await client.query('BEGIN');
      const named = rows.map((row) => [...row.slice(0, -1), hash('sha256', row.join('\t'), 'hex').slice(0, ID_DIGITS)]);
      await copyInto(client, 'arrived', named);
      await client.query('INSERT INTO action SELECT * FROM arrived ON CONFLICT DO NOTHING');
      await client.query('COMMIT');
    },
  };
}

async function copyInto(client: Client, table: string, rows: readonly ActionRow[]): Promise<void> {
  const { from } = (await importPeer('pg-copy-streams')) as { from: (sql: string) => Writable };
  const copy = client.query(from(`COPY ${table} FROM STDIN`));
  copy.end(tabSeparated(rows));
  await finished(copy);
}

/** Starts a server of its own in a folder, on a socket there, as a child of this process. */
async function startPostgres(folder: string): Promise<Client> {
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
  return connect(folder);
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
