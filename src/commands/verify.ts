/**
 * `tidegate verify`: checks published data against the manifests and the publication log.
 *
 * Without --manifest: the server's own stores, which need no running server and do not mind one. With --manifest: a directory of
 * downloads, on any machine; a manifest is the answer of the API's manifest call, saved as it came.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFile, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Catalog } from '../catalog/catalog.ts';
import { openExistingCatalog } from '../catalog/data-catalog.ts';
import type { PublicManifest } from '../catalog/manifest-schema.ts';
import type { OptionValues } from '../config/parse-options.ts';
import { AppError, ConfigurationError } from '../errors/app-error.ts';
import type { Findings, VerifiedCounts } from '../exports/findings.ts';
import { systemClock } from '../lib/clock.ts';
import type { Command } from './command.ts';

export const verifyCommand: Command = {
  words: ['verify'],
  summary:
    'Check every package, manifest and log entry of a data directory, or downloads against the manifests that list them.',
  positionals: 'DIR (with --manifest: the downloads)',
  options: ['data', 'ai', 'manifest', 'public-key', 'json'],
  run: async ({ options, positionals, print }) => {
    const findings = new FindingsPrinter(options.flag('json') ? undefined : print);
    const isDownload = options.list('manifest').length > 0;
    const counts = isDownload
      ? await verifyFolder(options, positionals, findings)
      : await verifyData(options, positionals, findings);
    const { faults, notes } = findings;
    if (options.flag('json')) print(JSON.stringify({ ...counts, faults, notes }, null, 2));
    else print(summaryOf(counts));
    if (faults.length > 0)
      throw new AppError(
        'verification_failed',
        `${faults.length} ${faults.length === 1 ? 'fault was' : 'faults were'} found.`,
      );
    if (!options.flag('json')) print('No fault was found.');
  },
};

/** Prints findings as they come, and keeps them. */
class FindingsPrinter implements Findings {
  readonly faults: string[] = [];
  readonly notes: string[] = [];
  readonly #print: ((line: string) => void) | undefined;

  constructor(print: ((line: string) => void) | undefined) {
    this.#print = print;
  }

  fault(sentence: string): void {
    this.faults.push(sentence);
    this.#print?.(`fault: ${sentence}`);
  }

  note(sentence: string): void {
    this.notes.push(sentence);
    this.#print?.(`note: ${sentence}`);
  }
}

function summaryOf({ entries, manifests, packages, rows, bytes }: VerifiedCounts): string {
  return `Checked ${entries} log entries, ${manifests} manifests and ${packages} packages with ${rows} rows in ${bytes} bytes.`;
}

async function verifyData(
  options: OptionValues,
  positionals: readonly string[],
  findings: Findings,
): Promise<VerifiedCounts> {
  if (positionals.length > 0 || options.optionalText('public-key') !== undefined) {
    throw new ConfigurationError(['To check a directory of downloads, name its manifests: --manifest FILE,…']);
  }
  const [{ verifyStores }, { LocalPackageStore }] = await Promise.all([
    import('../exports/verify-stores.ts'), // here, so that other commands start without them
    import('../packages/local-package-store.ts'),
  ]);
  const data = options.text('data');
  const catalog = await openExistingCatalog(data, systemClock);
  try {
    const packages = await LocalPackageStore.open(join(data, 'packages'));
    return await verifyStores({ catalog, packages, ais: await listAis(catalog, options), findings });
  } finally {
    await catalog.close();
  }
}

async function listAis(catalog: Catalog, options: OptionValues): Promise<readonly string[]> {
  const ai = options.optionalText('ai');
  if (ai === undefined) return (await catalog.projects.list()).map((project) => project.ai);
  if (!catalog.projects.findByAi(ai)) throw new AppError('unknown_project', `There is no project ${ai}.`);
  return [ai];
}

/** A shell spreads `--manifest *.json DIR` into several words: the last is the directory, those before it are manifests. */
async function verifyFolder(
  options: OptionValues,
  positionals: readonly string[],
  findings: Findings,
): Promise<VerifiedCounts> {
  const folder = positionals.at(-1);
  const keyFile = options.optionalText('public-key');
  const missing = [
    ...(folder === undefined ? ['Name the directory of downloads behind the options.'] : []),
    ...(keyFile === undefined ? ['--public-key FILE is missing.'] : []),
  ];
  if (folder === undefined || keyFile === undefined) throw new ConfigurationError(missing);
  if (!(await isFolder(folder))) throw new ConfigurationError([`${folder} is no directory.`]);
  const manifestFiles = [...options.list('manifest'), ...positionals.slice(0, -1)];
  const publicKey = await readPublicKey(keyFile);
  const [{ verifyDownload }, { parseManifestDocument }] = await Promise.all([
    import('../exports/verify-download.ts'),
    import('../catalog/manifest-schema.ts'),
  ]);
  const manifests: PublicManifest[] = [];
  for (const file of manifestFiles) {
    const document = parseManifestDocument(await readText('--manifest', file));
    if (typeof document === 'string') findings.fault(`${file}: ${document}`);
    else manifests.push(document);
  }
  const own = new Set(await Promise.all([keyFile, ...manifestFiles].map((file) => realpath(file))));
  const realFolder = await realpath(folder);
  const isOwnFile = (path: string): boolean => own.has(path);
  return verifyDownload({ manifests, publicKey, folder: realFolder, isOwnFile, findings });
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

async function readText(option: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigurationError([`${option}: ${file} cannot be read (${reason}).`]);
  }
}

/** Reads the server's public key: in PEM, or as /.well-known/tidegate.json has it. */
async function readPublicKey(file: string): Promise<KeyObject> {
  const text = await readText('--public-key', file);
  try {
    const pem = text.trimStart().startsWith('{') ? (JSON.parse(text) as { publicKeyPem: string }).publicKeyPem : text;
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // told below
  }
  throw new ConfigurationError([
    `--public-key: ${file} holds no Ed25519 public key; save the server's /.well-known/tidegate.json.`,
  ]);
}
