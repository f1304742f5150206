/** Asks a server for visitors to be erased, as the documents say, and looks for what is left of them. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Project } from '../../src/catalog/catalog.ts';
import type { ReceiptDocument } from '../../src/http/erasure-routes.ts';
import { isSystemError } from '../../src/lib/system-error.ts';
import { waitUntil } from './wait-until.ts';

type Erasing = { readonly baseUrl: string; readonly project: Project };

/** Signs a text as the documents say. */
export function signErasure(secret: string, text: string): string {
  return createHmac('sha256', secret).update(text).digest('hex');
}

/** Asks for visitors to be erased; fails when that is not taken. */
export async function eraseVisitors({ baseUrl, project }: Erasing, ids: readonly string[]): Promise<ReceiptDocument> {
  const { ai, secret, clientId } = project;
  const auth = signErasure(secret, `projectId=${ai}&visitUserId=${ids.join(',')}`);
  const response = await fetch(`${baseUrl}/${ai}/deleteVisitor?auth=${auth}`, {
    method: 'POST',
    headers: { 'Access-Token': clientId, 'Content-Type': 'application/json' },
    body: JSON.stringify({ visitUserId: ids }),
  });
  assert.equal(response.status, 202, await response.clone().text());
  return (await response.json()) as ReceiptDocument;
}

/** Polls a receipt once. */
export async function pollReceipt({ baseUrl, project }: Erasing, receiptId: string): Promise<ReceiptDocument> {
  const { ai, secret, clientId } = project;
  const auth = signErasure(secret, `projectId=${ai}&receiptId=${receiptId}`);
  const response = await fetch(`${baseUrl}/${ai}/deleteVisitor?receiptId=${receiptId}&auth=${auth}`, {
    headers: { 'Access-Token': clientId },
  });
  assert.equal(response.status, 200, await response.clone().text());
  return (await response.json()) as ReceiptDocument;
}

/** Polls a receipt until it is done; gives the certificate. */
export async function untilErased(server: Erasing, receiptId: string) {
  const done = await waitUntil(`the erasure ${receiptId} is done`, async () => {
    const receipt = await pollReceipt(server, receiptId);
    return receipt.status === 'done' && receipt;
  });
  assert.ok(done.certificate);
  return done.certificate;
}

/** Lists the files of a data directory that hold a text or bytes, packages unpacked. */
export async function filesWith(folder: string, text: string | Buffer): Promise<readonly string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = await readFile(path).catch((error: unknown) => {
      if (isSystemError(error, 'ENOENT')) return Buffer.alloc(0); // gone since it was listed
      throw error;
    });
    if ((path.endsWith('.gz') ? gunzipSync(bytes) : bytes).includes(text)) found.push(path);
  }
  return found;
}
