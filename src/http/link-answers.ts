/**
 * The bodies of FINISHED answers, which are long lists of signed links.
 *
 * Links live to the end of a second, so two calls for the same in one second get the same body, and it is made once. It is kept
 * with the catalog's list of packages, and goes when that does: with any change of the catalog. One body is kept for each list.
 *
 * Cost of a new body: one signature (3 µs) and about 200 bytes a package.
 */
import type { PublishedPackage } from '../catalog/catalog.ts';
import type { LinkSigner } from '../packages/signed-link.ts';
import type { AllTypesEnvelope, EnvelopeFacts, TypeEnvelope } from './export-envelope.ts';
import { buildEnvelope } from './export-envelope.ts';

export type LinkAnswer = {
  /** As the catalog listed them. */
  readonly packages: readonly PublishedPackage[];
  readonly base: string;
  readonly expiresAtSeconds: number;
  readonly facts: Omit<EnvelopeFacts, 'links'>;
};

type KeptBody = { readonly variant: string; readonly body: Buffer };

export class LinkAnswers {
  readonly #linkSigner: LinkSigner;
  readonly #bodies = new WeakMap<readonly PublishedPackage[], KeptBody>();

  constructor(linkSigner: LinkSigner) {
    this.#linkSigner = linkSigner;
  }

  /** Gives the body of an answer; `serialize` writes its envelope. */
  bodyOf(answer: LinkAnswer, serialize: (envelope: TypeEnvelope | AllTypesEnvelope) => string): Buffer {
    const { packages, base, expiresAtSeconds, facts } = answer;
    const { requestedAtMs, ...told } = facts;
    // Everything that the body depends on besides the packages; requestTime has minutes.
    const variant = JSON.stringify([base, expiresAtSeconds, Math.floor(requestedAtMs / 60_000), told]);
    const kept = this.#bodies.get(packages);
    if (kept?.variant === variant) return kept.body;
    const links = packages.map((entry) => ({
      dataType: entry.dataType,
      link: this.#linkSigner.build({ base, linked: entry, expiresAtSeconds }),
    }));
    const body = Buffer.from(serialize(buildEnvelope({ ...facts, links })));
    this.#bodies.set(packages, { variant, body });
    return body;
  }
}
