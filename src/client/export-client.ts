/**
 * A client of the export API: asks for a token, for an hour or a day, and downloads packages with their checksums checked.
 *
 * Works against Tidegate and any server of the same API. Used by `tidegate pull` and by tests. Each call is one request: polling
 * and retrying are the caller's.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { DataType } from '../events/data-types.ts';
import { syncFolder } from '../lib/atomic-file.ts';
import type { Clock } from '../lib/clock.ts';

/** The server refused, or its answer cannot be used. */
export class ExportCallError extends Error {
  readonly httpStatus: number;

  constructor(httpStatus: number, message: string) {
    super(message);
    this.name = 'ExportCallError';
    this.httpStatus = httpStatus;
  }
}

/** The envelope of an export call, and what came beside it. */
export type ExportAnswer<Links> = {
  readonly httpStatus: number;
  readonly retryAfterSeconds: number | undefined;
  readonly status: 'FINISHED' | 'RUNNING' | 'NOT_EXISTS' | 'ERROR';
  readonly downloadLinks: Links;
  readonly exportType: string;
  readonly dataType?: string;
  readonly exportDate: string;
  readonly exportVersion: string;
  readonly requestTime: string;
  readonly errorMsg: string;
};

export type TypeLinks = readonly string[];
export type AllTypesLinks = Readonly<Record<DataType, readonly string[]>>;

/** What to export: `date` is yyyyMMddHH for an hour and yyyyMMdd for a day, in Beijing time. */
export type AskedExport = { readonly date: string; readonly expireMinutes?: number; readonly signal?: AbortSignal };

/** Asks for a token, which lives 30 days. @throws ExportCallError when the server gives none */
export async function getToken(options: {
  readonly baseUrl: string;
  readonly clientId: string;
  readonly secret: string;
  /** The project's uid. */
  readonly project: string;
  readonly ai: string;
  readonly clock: Clock;
}): Promise<string> {
  const parameters = `project=${options.project}&ai=${options.ai}&tm=${options.clock.nowMs()}`;
  const auth = createHmac('sha256', options.secret).update(`POST\n/auth/token\n${parameters}`).digest('hex');
  const response = await fetch(new URL('/auth/token', options.baseUrl), {
    method: 'POST',
    headers: { 'X-Client-Id': options.clientId, 'Content-Type': 'text/plain' },
    body: `${parameters}&auth=${auth}`,
  });
  const { code } = await readJson(response);
  if (typeof code !== 'string') throw new ExportCallError(response.status, 'The server gave no token.');
  return code;
}

export class ExportClient {
  readonly #baseUrl: string;
  readonly #ai: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(options: {
    readonly baseUrl: string;
    readonly clientId: string;
    readonly token: string;
    readonly ai: string;
  }) {
    this.#baseUrl = options.baseUrl;
    this.#ai = options.ai;
    this.#headers = { 'X-Client-Id': options.clientId, Authorization: `Token ${options.token}` };
  }

  /** Asks for one data type of an hour. @throws ExportCallError when the answer is no envelope */
  exportHour(dataType: DataType, asked: AskedExport): Promise<ExportAnswer<TypeLinks>> {
    return this.#ask(`hour/${dataType}`, asked);
  }

  /** Asks for one data type of a day. @throws ExportCallError when the answer is no envelope */
  exportDay(dataType: DataType, asked: AskedExport): Promise<ExportAnswer<TypeLinks>> {
    return this.#ask(`day/${dataType}`, asked);
  }

  /** Asks for all data types of an hour. @throws ExportCallError when the answer is no envelope */
  exportWholeHour(asked: AskedExport): Promise<ExportAnswer<AllTypesLinks>> {
    return this.#ask('hour', asked);
  }

  /** Asks for all data types of a day. @throws ExportCallError when the answer is no envelope */
  exportWholeDay(asked: AskedExport): Promise<ExportAnswer<AllTypesLinks>> {
    return this.#ask('day', asked);
  }

  async #ask<Links>(what: string, { date, expireMinutes, signal }: AskedExport): Promise<ExportAnswer<Links>> {
    const url = new URL(`/v2/insights/${what}/${this.#ai}/${date}.json`, this.#baseUrl);
    if (expireMinutes !== undefined) url.searchParams.set('expire', String(expireMinutes));
    const response = await fetch(url, { headers: this.#headers, ...(signal && { signal }) });
    const envelope = await readJson(response);
    if (typeof envelope.status !== 'string' || typeof envelope.downloadLinks !== 'object') {
      throw new ExportCallError(response.status, `The server refused: ${String(envelope.message)}`);
    }
    const retryAfter = /^\d+$/.exec(response.headers.get('Retry-After') ?? '');
    return {
      ...(envelope as Omit<ExportAnswer<Links>, 'httpStatus' | 'retryAfterSeconds'>),
      httpStatus: response.status,
      retryAfterSeconds: retryAfter ? Number(retryAfter[0]) : undefined,
    };
  }
}

/** Downloads a package into memory. @throws ExportCallError when it is refused, cut short or damaged */
export async function downloadPackage(link: string, signal?: AbortSignal): Promise<Buffer> {
  const download = await openDownload(link, signal);
  return buffer(Readable.from(download));
}

/** Downloads a package into a file, which is there whole, checked and durable, or not at all. @throws ExportCallError as above */
export async function downloadPackageToFile(link: string, path: string, signal?: AbortSignal): Promise<void> {
  const download = await openDownload(link, signal);
  const temporaryPath = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await pipeline(download, createWriteStream(temporaryPath, { flags: 'wx', flush: true }));
    await rename(temporaryPath, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporaryPath, { force: true });
    throw error;
  }
}

/** Begins a download. What it yields ends with an error when it is not what the server's headers promise. */
async function openDownload(link: string, signal?: AbortSignal): Promise<AsyncGenerator<Uint8Array>> {
  // A coding on the way would leave neither Content-Length nor the MD5 true.
  const response = await fetch(link, { headers: { 'Accept-Encoding': 'identity' }, ...(signal && { signal }) });
  if (!response.ok || !response.body) {
    const { message } = await readJson(response);
    throw new ExportCallError(response.status, `The download was refused: ${String(message)}`);
  }
  return checkedBytes(response, response.body);
}

async function* checkedBytes(response: Response, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const md5 = createHash('md5');
  let bytes = 0;
  for await (const chunk of body) {
    md5.update(chunk);
    bytes += chunk.length;
    yield chunk;
  }
  const promisedBytes = response.headers.get('Content-Length');
  if (promisedBytes !== null && Number(promisedBytes) !== bytes) {
    throw new ExportCallError(response.status, `The package has ${bytes} bytes instead of ${promisedBytes}.`);
  }
  const promisedMd5 = response.headers.get('x-amz-meta-md5-hash');
  if (promisedMd5 !== null && promisedMd5 !== md5.digest('hex')) {
    throw new ExportCallError(response.status, 'The package does not have the MD5 that the server gave.');
  }
}

async function readJson(response: Response): Promise<Record<string, unknown>> {
  const text = await response.text();
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null) return parsed as Record<string, unknown>;
  } catch {
    // told below
  }
  throw new ExportCallError(response.status, `The server answered ${response.status} without readable JSON.`);
}
