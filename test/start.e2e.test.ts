// `npm start` after its set-up: the real script, and its three lines in a real shell.
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { headerLine } from '../src/events/data-types.ts';
import { atEnd } from './helpers/at-end.ts';
import { PATIENCE_MS } from './helpers/wait-until.ts';

const ROOT = join(import.meta.dirname, '..');

describe('npm start', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidegate-start-'));
  const data = join(folder, 'data');
  let started: Started;

  before(async () => {
    started = await start(data);
  });
  after(async () => {
    await started.stop();
    rmSync(folder, { recursive: true });
  });

  it('prints the keys of a demo project and three lines that send, ask and download', () => {
    for (const key of ['ai', 'uid', 'clientId', 'secret'])
      assert.match(started.output, new RegExp(`^ {2}${key} +[0-9A-Za-z]{8,64}$`, 'm'));
    const lines = shellLines(started.output);
    assert.equal(lines.length, 3, started.output);
    const shell = spawnSync('sh', { input: lines.join('\n'), encoding: 'utf8', timeout: PATIENCE_MS });
    assert.equal(shell.stderr, '');
    const [receipt = '', link = '', ...csv] = shell.stdout.split('\n');
    assert.deepEqual(JSON.parse(receipt), { accepted: 1, rejected: 0, ignored: 0 });
    assert.match(link, /^http:\/\/127\.0\.0\.1:\d+\/.+_action_v2_\d{12}\/part-00000-.+\.csv\.gz\?/);
    assert.equal(`${csv[0]!}\n`, headerLine('action'));
    assert.match(csv[1]!, /^[0-9a-f-]{36},[0-9a-f-]{36},(clck|chng|sbmt),/);
  });

  it('ends on SIGTERM, and keeps the project when it is started again', async () => {
    const before = started.output;
    assert.equal(await started.stop(), 0);
    started = await start(data);
    assert.equal(withoutPort(started.output), withoutPort(before));
  });

  it('says in one sentence that the port is taken, and makes nothing', async (t) => {
    const other = createServer().listen(0, '127.0.0.1');
    atEnd(t, () => other.close());
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const unused = join(folder, 'unused');
    const child = spawnStart(['--listen', `127.0.0.1:${port}`], unused);
    atEnd(t, () => child.kill('SIGKILL'));
    const [stderr, [code]] = await Promise.all([text(child.stderr!), once(child, 'exit')]);
    assert.match(stderr, new RegExp(`^tidegate: Cannot listen on 127\\.0\\.0\\.1, port ${port}: .+\\.\n$`));
    assert.equal(code, 2);
    assert.ok(!existsSync(unused));
  });
});

type Started = {
  /** What it printed until it was ready. */
  readonly output: string;
  /** Sends SIGTERM and gives the exit code. */
  stop(): Promise<number | null>;
};

/** Starts the script on a free port and waits until its last line is there. */
async function start(data: string): Promise<Started> {
  const child = spawnStart(['--listen=127.0.0.1:0'], data);
  let output = '';
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  for await (const chunk of child.stdout!.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    output += String(chunk);
    if (/^curl .*gunzip.*\n/m.test(output)) return { output, stop: () => stop(child) };
  }
  throw new Error(`it ended before it was ready: ${stderr}`);
}

function spawnStart(args: readonly string[], data: string): ChildProcess {
  const environment = Object.entries(process.env).filter(([name]) => !/^(npm_|TIDEGATE_)/.test(name));
  return spawn(process.execPath, [join(ROOT, 'scripts/start.ts'), ...args], {
    env: { ...Object.fromEntries(environment), TIDEGATE_DATA: data, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function stop(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode;
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit', { signal: AbortSignal.timeout(PATIENCE_MS) })) as [number | null];
  return code;
}

function shellLines(output: string): readonly string[] {
  return output.split('\n').filter((line) => /^(curl|tm=)/.test(line));
}

function withoutPort(output: string): string {
  return output.replace(/127\.0\.0\.1:\d+/g, '127.0.0.1');
}
