/**
 * Install: how long `npm start` takes in a new clone until the first package can be downloaded, and what the product takes on disk.
 *
 * The clone has the last commit, no packages and an empty npm cache, so that everything comes from the registry. The product is
 * what `npm pack` makes, installed without development tools into an empty folder; Node itself is not counted.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { downloadPackage, ExportClient, getToken } from '../../src/client/export-client.ts';
import { systemClock, waitFor } from '../../src/lib/clock.ts';
import { diskMegabytesOf } from '../measure/disk-usage.ts';
import { runProgram } from '../measure/run-program.ts';
import { Stage } from '../measure/stage.ts';
import { freePort } from '../peers/nginx.ts';
import type { PartContext } from './part.ts';

const ROOT = join(import.meta.dirname, '..', '..');
/** The demo hour that is asked for: the evening, when most happens. */
const HOUR_OF_DAY = '20';
const POLL_MS = 50;
const NEW_CLONE = { from: 'a new clone' };
const NPM_QUIETLY = ['--no-audit', '--no-fund', '--loglevel=error'];
/** The registry is asked each time; that is no work of ours to be measured often. */
const MOST_ROUNDS = 2;

/** What `npm start` prints. */
type DemoKeys = { readonly ai: string; readonly uid: string; readonly clientId: string; readonly secret: string };

export async function measureInstall({ stage, recorder, rounds }: PartContext): Promise<void> {
  for (let round = 1; round <= Math.min(rounds, MOST_ROUNDS); round += 1) {
    const own = new Stage();
    const end = stage.add(() => own.close());
    const folder = await own.folder('install');
    const clone = join(folder, 'clone');
    await runProgram('git', ['clone', '--quiet', '--no-hardlinks', ROOT, clone], { stage: own });
    const env = freshEnvironment(join(folder, 'npm-cache'));
    recorder.add({ round, contestant: 'npm start', case: NEW_CLONE, figures: await startDemo(own, clone, env) });
    recorder.add({ round, contestant: 'product', case: NEW_CLONE, figures: await installProduct(own, folder, env) });
    await end();
  }
}

/** The environment of somebody who runs npm here for the first time: without what the npm that runs us has set. */
function freshEnvironment(cache: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|TIDEGATE_)/i.test(name) || /^npm_config_(registry|userconfig|.*proxy)$/i.test(name),
  );
  const folders = (process.env.PATH ?? '').split(delimiter);
  const PATH = folders.filter((folder) => !folder.endsWith('node_modules/.bin')).join(delimiter);
  return { ...Object.fromEntries(kept), PATH, npm_config_cache: cache };
}

/** Runs `npm start` and downloads a package of the demo project as soon as there is one. */
async function startDemo(stage: Stage, clone: string, env: NodeJS.ProcessEnv): Promise<Record<string, number>> {
  const port = await freePort();
  const startMs = performance.now();
  const args = ['start', '--', '--listen', `127.0.0.1:${port}`];
  const child = spawn('npm', args, { cwd: clone, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const ended = once(child, 'exit');
  const end = stage.add(async () => {
    if (child.exitCode === null) process.kill(-child.pid!, 'SIGTERM');
    await ended;
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()));
  while (!hasKeys(output)) {
    if (child.exitCode !== null) throw new Error(`npm start ended with ${child.exitCode}: ${output.trim()}`);
    await waitFor(POLL_MS);
  }
  const serving = performance.now();
  const { keys, date } = readDemo(output);
  const { ai, uid, clientId, secret } = keys;
  const baseUrl = `http://127.0.0.1:${port}`;
  const token = await getToken({ baseUrl, clientId, secret, project: uid, ai, clock: systemClock });
  const client = new ExportClient({ baseUrl, clientId, token, ai });
  const ask = () => client.exportHour('action', { date: `${date}${HOUR_OF_DAY}` });
  let answer = await ask();
  for (; answer.status !== 'FINISHED'; answer = await ask()) await waitFor(POLL_MS);
  const lines = gunzipSync(await downloadPackage(answer.downloadLinks[0]!))
    .toString()
    .split('\n');
  const downloaded = performance.now();
  if (lines.length < 3) throw new Error('The first package has no rows.');
  await end();
  return { servingSeconds: (serving - startMs) / 1000, firstPackageSeconds: (downloaded - startMs) / 1000 };
}

const KEY = /^ {2}(ai|uid|clientId|secret) +(\S+)$/gm;

function hasKeys(output: string): boolean {
  return [...output.matchAll(KEY)].length === 4;
}

function readDemo(output: string): { readonly keys: DemoKeys; readonly date: string } {
  const keys = Object.fromEntries([...output.matchAll(KEY)].map(([, name, value]) => [name, value])) as DemoKeys;
  const date = /events of (\d{4})-(\d\d)-(\d\d)/.exec(output)!.slice(1).join('');
  return { keys, date };
}

/** Packs the clone, installs the package into an empty folder, and sees that it runs. */
async function installProduct(stage: Stage, folder: string, env: NodeJS.ProcessEnv): Promise<Record<string, number>> {
  const product = join(folder, 'product');
  await mkdir(product);
  const clone = join(folder, 'clone');
  await runProgram('npm', ['pack', '--pack-destination', folder, '--loglevel=error'], { stage, env, cwd: clone });
  const pack = (await readdir(folder)).find((name) => name.endsWith('.tgz'))!;
  await writeFile(join(product, 'package.json'), '{ "private": true }\n');
  const install = ['install', '--omit=dev', ...NPM_QUIETLY, join(folder, pack)];
  const { wallSeconds } = await runProgram('npm', install, { stage, env, cwd: product });
  // The product brings no Node: that of this run stands for the machine's.
  const PATH = [dirname(process.execPath), env.PATH].join(delimiter);
  const program = join(product, 'node_modules', '.bin', 'tidegate');
  await runProgram(program, ['--version'], { stage, env: { ...env, PATH } });
  return {
    installedMegabytes: await diskMegabytesOf(join(product, 'node_modules')),
    packedMegabytes: await diskMegabytesOf(join(folder, pack)),
    installSeconds: wallSeconds,
  };
}
