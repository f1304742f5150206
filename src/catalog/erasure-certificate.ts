/**
 * The certificate of an erasure: what was taken out of which hour, and between which publications. Signed like a manifest, and free of
 * personal data.
 *
 * A visitor is named by HMAC-SHA256(the project's secret, `erased-visitor\n{ai}\n{id}`): whoever has the secret can check that a
 * certificate is of an id that he knows, and nobody can learn an id from it. `hash` is the SHA-256 of the canonical JSON of
 * everything but `hash` and `signature`; the signature is Ed25519 over the hash's 32 bytes.
 */
import { createHash, createHmac, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { canonicalJson } from '../events/canonical-json.ts';

const hex = (digits: number, description: string) => Type.String({ pattern: `^[0-9a-f]{${digits}}$`, description });
const instant = (description: string) =>
  Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$', description });

const Revision = (description: string) =>
  Type.Union(
    [
      Type.Object({
        revision: Type.Integer({ minimum: 1, description: 'The revision.' }),
        hash: hex(64, 'Hash of its entry in the publication log.'),
      }),
      Type.Null(),
    ],
    { description },
  );

export const CertificateDocument = Type.Object(
  {
    version: Type.Literal(1, { description: 'Version of this form.' }),
    receiptId: hex(24, 'The receipt that the erasure was asked for with.'),
    ai: Type.String({ pattern: '^[0-9A-Za-z-]{1,64}$', description: 'Public id of the project.' }),
    requestedAt: instant('When it was asked for, RFC 3339 in UTC with milliseconds.'),
    erasedUntil: instant('Rows with a send time up to this instant were erased.'),
    doneAt: instant('When nothing was left.'),
    visitors: Type.Array(hex(64, 'HMAC-SHA256 of a visitor, see docs/erasure.md.'), {
      description: 'One for each id, in the order of the request.',
    }),
    hours: Type.Array(
      Type.Object({
        hour: Type.String({ pattern: '^\\d{10}$', description: 'The hour, yyyyMMddHH in Beijing time.' }),
        rows: Type.Record(Type.String(), Type.Integer({ minimum: 1 }), {
          description: 'Records erased, by data type, and `rejected`.',
        }),
        before: Revision('What was published before; null when nothing was.'),
        after: Revision('What was published afterwards; null when nothing was.'),
      }),
      { description: 'The hours that held something, in their order.' },
    ),
    hash: hex(64, 'SHA-256 of the canonical JSON of all but hash and signature.'),
    signature: hex(128, "Ed25519 signature of the hash's 32 bytes by the key of /.well-known/tidegate.json."),
  },
  { description: 'What an erasure took, and between which publications.' },
);

export type ErasureCertificate = Static<typeof CertificateDocument>;
export type CertificateFacts = Omit<ErasureCertificate, 'hash' | 'signature'>;

/** Gives what stands for a visitor's id in a certificate. */
export function hashVisitor(secret: string, ai: string, visitor: string): string {
  return createHmac('sha256', secret).update(`erased-visitor\n${ai}\n${visitor}`).digest('hex');
}

/** Completes a certificate with its hash and signature. */
export function signCertificate(facts: CertificateFacts, signingKeyPem: string): ErasureCertificate {
  const hash = hashFacts(facts);
  const signature = sign(null, Buffer.from(hash, 'hex'), createPrivateKey(signingKeyPem)).toString('hex');
  return { ...facts, hash, signature };
}

/** Checks a certificate. Returns the fault in a sentence, undefined when there is none. */
export function findCertificateFault(
  { hash, signature, ...facts }: ErasureCertificate,
  publicKeyPem: string,
): string | undefined {
  const name = `The certificate of ${facts.receiptId}`;
  if (hashFacts(facts) !== hash) return `${name} does not hash to ${hash}.`;
  const isSigned = verify(null, Buffer.from(hash, 'hex'), createPublicKey(publicKeyPem), Buffer.from(signature, 'hex'));
  return isSigned ? undefined : `${name} is not signed by this key.`;
}

function hashFacts(facts: CertificateFacts): string {
  return createHash('sha256').update(canonicalJson(facts)).digest('hex');
}
