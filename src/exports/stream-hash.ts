/**
 * SHA-256 of streams, computed on threads of libuv's pool while the caller goes on: that of an export's CSV takes two thirds as
 * long as compressing it.
 *
 * Node's own hashes work in the calling thread only, so OpenSSL's functions are called directly: those within the program of
 * Node itself, which exports them for its add-ons. Where they are not found, or do not give what Node's give, Node's are used.
 *
 * C works on memory that is given here by address: it lies outside the JavaScript heap, where it never moves, and is held until
 * the call has returned.
 */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';

const ALGORITHM = 'sha256';

/** The SHA-256 of one stream. The caller waits for each call before the next, and leaves the bytes alone until then. */
export interface StreamHash {
  /** Whether `update` leaves this thread free. */
  readonly isInPool: boolean;
  update(bytes: Uint8Array): Promise<void>;
  /** The same in the calling thread: for whoever would wait otherwise. */
  updateHere(bytes: Uint8Array): void;
  /** Gives the checksum in hex, and closes. */
  digest(): string;
  /** Gives back its memory. May be called again, but not while an update runs. */
  close(): void;
}

/** Begins the SHA-256 of a stream. */
export type HashOpener = () => StreamHash;

/** Hashes in the calling thread. */
export const hashHere: HashOpener = () => {
  const hash = createHash(ALGORITHM);
  const updateHere = (bytes: Uint8Array): void => {
    hash.update(bytes);
  };
  return {
    isInPool: false,
    update: (bytes) => {
      updateHere(bytes);
      return Promise.resolve();
    },
    updateHere,
    digest: () => hash.digest('hex'),
    close: () => undefined,
  };
};

/** Gives what hashes in libuv's pool; `hashHere` where that cannot be done. Never throws. */
export async function openPoolHashes(): Promise<HashOpener> {
  try {
    const functions = await loadFunctions();
    const open: HashOpener = () => new PoolHash(functions);
    return (await isRight(open)) ? open : hashHere;
  } catch {
    return hashHere; // koffi has no binary for this machine, or this Node does not export the functions
  }
}

const DIGEST_BYTES = 32;
const OK = 1;

type Address = bigint;

/** Functions of OpenSSL's `EVP` interface, the same since 1.1.0. */
type HashFunctions = {
  readonly createContext: () => Address | null;
  readonly freeContext: (context: Address) => void;
  readonly findAlgorithm: (name: string) => Address | null;
  readonly begin: (context: Address, algorithm: Address | null, engine: null) => number;
  readonly updateHere: (context: Address, bytes: Uint8Array, length: number) => number;
  readonly update: (context: Address, bytes: Address, length: number) => Promise<number>;
  readonly finish: (context: Address, digest: Uint8Array, length: null) => number;
  readonly addressOf: (memory: Uint8Array) => Address;
};

async function loadFunctions(): Promise<HashFunctions> {
  const { default: koffi } = await import('koffi');
  const node = koffi.load(null);
  const update = node.func('EVP_DigestUpdate', 'int', ['void *', 'void *', 'size_t']);
  return {
    createContext: node.func('EVP_MD_CTX_new', 'void *', []),
    freeContext: node.func('EVP_MD_CTX_free', 'void', ['void *']),
    findAlgorithm: node.func('EVP_get_digestbyname', 'void *', ['str']),
    begin: node.func('EVP_DigestInit_ex', 'int', ['void *', 'void *', 'void *']),
    updateHere: update,
    update: promisify(update.async) as HashFunctions['update'],
    finish: node.func('EVP_DigestFinal_ex', 'int', ['void *', 'void *', 'void *']),
    addressOf: (memory) => koffi.address(memory),
  };
}

class PoolHash implements StreamHash {
  readonly isInPool = true;
  readonly #functions: HashFunctions;
  #context: Address | undefined;
  /** What is being hashed, held for as long as that takes. */
  #running: Uint8Array | undefined;

  constructor(functions: HashFunctions) {
    this.#functions = functions;
    this.#context = functions.createContext() ?? undefined;
    if (this.#context === undefined) throw new Error('no memory for a hash');
    this.#expect(functions.begin(this.#context, functions.findAlgorithm(ALGORITHM), null));
  }

  async update(bytes: Uint8Array): Promise<void> {
    const context = this.#idleContext();
    this.#running = bytes;
    try {
      this.#expect(await this.#functions.update(context, this.#functions.addressOf(bytes), bytes.byteLength));
    } finally {
      this.#running = undefined;
    }
  }

  updateHere(bytes: Uint8Array): void {
    this.#expect(this.#functions.updateHere(this.#idleContext(), bytes, bytes.byteLength));
  }

  digest(): string {
    const digest = Buffer.alloc(DIGEST_BYTES);
    this.#expect(this.#functions.finish(this.#idleContext(), digest, null));
    this.close();
    return digest.toString('hex');
  }

  close(): void {
    if (this.#context !== undefined) this.#functions.freeContext(this.#context);
    this.#context = undefined;
  }

  #idleContext(): Address {
    if (this.#context === undefined) throw new Error('the hash is closed');
    if (this.#running) throw new Error('the hash is still busy with the bytes before');
    return this.#context;
  }

  #expect(code: number): void {
    if (code === OK) return;
    this.close();
    throw new Error(`OpenSSL answered ${code} for ${ALGORITHM}`);
  }
}

/** Says whether a hash gives what Node's gives. */
async function isRight(open: HashOpener): Promise<boolean> {
  const [hash, expected] = [open(), createHash(ALGORITHM)];
  for (const length of [1, 63, 64, 1000]) {
    const bytes = Buffer.allocUnsafeSlow(length).fill('a sample of bytes');
    await hash.update(bytes);
    hash.updateHere(bytes);
    expected.update(bytes).update(bytes);
  }
  return hash.digest() === expected.digest('hex');
}
