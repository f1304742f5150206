/** nginx as a peer: one process that answers 204 to everything, or serves a folder of files. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { waitFor } from '../../src/lib/clock.ts';
import type { Stage } from '../measure/stage.ts';
import type { RunningServer } from './server-child.ts';

export type NginxOptions = {
  readonly stage: Stage;
  readonly cores: string;
  /** The folder to serve. Default: none, 204 for everything. */
  readonly serves?: string;
};

/** Starts nginx on 127.0.0.1. */
export async function startNginx({ stage, cores, serves }: NginxOptions): Promise<RunningServer> {
  const folder = await stage.folder('nginx');
  const port = await freePort();
  const location = serves === undefined ? 'return 204;' : `root ${serves}; default_type application/json;`;
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; keepalive_requests 100000000; client_max_body_size 8m;
  client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder};
  uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  server { listen 127.0.0.1:${port} backlog=1024; location / { ${location} } }
}
`,
  );
  const args = ['-c', cores, 'nginx', '-p', folder, '-e', join(folder, 'error.log'), '-c', join(folder, 'nginx.conf')];
  const child = spawn('taskset', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(child, 'exit');
  const close = stage.add(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  await waitUntilServing(port);
  return { pid: child.pid!, port, close };
}

/** Finds a port that nobody listens on. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

async function waitUntilServing(port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer) return;
    await waitFor(50);
  }
  throw new Error('nginx does not answer.');
}
