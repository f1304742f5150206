/** The server's own keys: made once per catalog, by whichever process opens it first. */
import { createHash, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import type { CatalogDatabase, CatalogReader } from './catalog-database.ts';
import type { ServerKeys } from './catalog.ts';

const LINK_KEY_BYTES = 32;
const KEY_ID_DIGITS = 16;
/** The table has one row; its id is always this. */
const ONLY_ROW = 1;

/** Reads the server's keys; makes them, durably, when there are none yet. All processes get the same. */
export async function loadServerKeys(database: CatalogDatabase, nowMs: number): Promise<ServerKeys> {
  const known = await readServerKeys(database.reader);
  if (known) return known;
  const made = generateServerKeys();
  return database.write(async (transaction) => {
    const others = await readServerKeys(transaction);
    if (others) return others;
    await transaction
      .insertInto('server_keys')
      .values({
        id: ONLY_ROW,
        link_key: made.linkKey.toString('hex'),
        signing_key_pem: made.signingKeyPem,
        public_key_pem: made.publicKeyPem,
        created_at_ms: nowMs,
      })
      .execute();
    return made;
  });
}

/** Names a public key: the first 16 hex digits of the SHA-256 of its DER. */
export function keyIdOf(publicKeyPem: string): string {
  const der = createPublicKey(publicKeyPem).export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('hex').slice(0, KEY_ID_DIGITS);
}

async function readServerKeys(reader: CatalogReader): Promise<ServerKeys | undefined> {
  const row = await reader
    .selectFrom('server_keys')
    .select(['link_key', 'signing_key_pem', 'public_key_pem'])
    .where('id', '=', ONLY_ROW)
    .executeTakeFirst();
  return (
    row && {
      linkKey: Buffer.from(row.link_key, 'hex'),
      signingKeyPem: row.signing_key_pem,
      publicKeyPem: row.public_key_pem,
    }
  );
}

function generateServerKeys(): ServerKeys {
  const pair = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  return { linkKey: randomBytes(LINK_KEY_BYTES), signingKeyPem: pair.privateKey, publicKeyPem: pair.publicKey };
}
