/**
 * Finds clients' addresses behind the proxies that each project trusts: its own, or those of the server.
 *
 * Cost: one parsed list for each different list of proxies, made when it is first needed.
 */
import { ClientAddresses } from './client-address.ts';

export class ProjectAddresses {
  readonly #trustedProxiesOf: (ai: string) => readonly string[];
  readonly #byList = new Map<string, ClientAddresses>();

  /** `trustedProxiesOf` is asked at every request, so that a change counts at once. */
  constructor(trustedProxiesOf: (ai: string) => readonly string[]) {
    this.#trustedProxiesOf = trustedProxiesOf;
  }

  /** Gives what finds the addresses of a project's clients. @throws ConfigurationError when a proxy is none */
  of(ai: string): ClientAddresses {
    const trusted = this.#trustedProxiesOf(ai);
    const name = trusted.join(',');
    const known = this.#byList.get(name) ?? new ClientAddresses(trusted);
    this.#byList.set(name, known);
    return known;
  }
}
