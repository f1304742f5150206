/**
 * Writes docs/openapi.json, the description of our own API, from the operations that src/http declares.
 *
 *   node scripts/openapi.ts            writes it
 *   node scripts/openapi.ts --check    writes nothing; ends with 1 when it is out of date
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { buildOpenApi } from '../src/http/openapi.ts';

const FILE = new URL('../docs/openapi.json', import.meta.url);

/** Renders the description as prettier lays it out. */
export async function renderOpenApi(): Promise<string> {
  return format(JSON.stringify(buildOpenApi()), { ...(await resolveConfig(FILE)), parser: 'json' });
}

if (import.meta.main) {
  const text = await renderOpenApi();
  if (!process.argv.includes('--check')) writeFileSync(FILE, text);
  else if (readFileSync(FILE, 'utf8') !== text) {
    console.error('docs/openapi.json is out of date. Run: node scripts/openapi.ts');
    process.exit(1);
  }
}
