/**
 * Finds the address of the client behind a request.
 *
 * The socket's own address counts, unless it is a trusted proxy's: then X-Forwarded-For is read from the right, past other trusted
 * proxies, or X-Real-IP where there is none. Headers of strangers are never believed.
 */
import { BlockList, isIP, isIPv4, SocketAddress } from 'node:net';
import type { IncomingHttpHeaders } from 'node:http';
import { ConfigurationError } from '../errors/app-error.ts';

export class ClientAddresses {
  readonly #trusted = new BlockList();
  readonly #trustsNobody: boolean;

  /** @param trustedProxies addresses or CIDR ranges, such as 127.0.0.1 or 10.0.0.0/8 */
  constructor(trustedProxies: readonly string[]) {
    this.#trustsNobody = trustedProxies.length === 0;
    const faults = trustedProxies.filter((range) => !this.#trust(range));
    if (faults.length > 0) {
      throw new ConfigurationError(
        faults.map((range) => `--trusted-proxies: "${range}" is no address or range such as 10.0.0.0/8.`),
      );
    }
  }

  /** Gives the client's address, IPv4-mapped IPv6 unwrapped; null when it is not known any more. */
  find(remoteAddress: string | undefined, headers: IncomingHttpHeaders): string | null {
    const socketAddress = normalize(remoteAddress ?? '');
    if (socketAddress === null || !this.#isTrusted(socketAddress)) return socketAddress;
    const forwardedFor = String(headers['x-forwarded-for'] ?? '').trim();
    if (forwardedFor === '') return normalize(String(headers['x-real-ip'] ?? '')) ?? socketAddress;
    let nearest = socketAddress;
    for (const hop of forwardedFor.split(',').map(normalize).reverse()) {
      if (hop === null) break; // unreadable: what stands left of it may be anybody's
      nearest = hop;
      if (!this.#isTrusted(hop)) break;
    }
    return nearest;
  }

  #trust(range: string): boolean {
    const [address = '', prefix, ...rest] = range.split('/');
    const family = isIP(address);
    if (family === 0 || rest.length > 0 || address.includes('%')) return false; // addresses are compared without their zone
    const type = family === 6 ? 'ipv6' : 'ipv4';
    if (prefix === undefined) {
      this.#trusted.addAddress(address, type);
      return true;
    }
    if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > (family === 6 ? 128 : 32)) return false;
    this.#trusted.addSubnet(address, Number(prefix), type);
    return true;
  }

  #isTrusted(address: string): boolean {
    return !this.#trustsNobody && this.#trusted.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
}

/** Strips port, brackets, zone and the IPv4-mapped prefix; null when what is left is no address. */
function normalize(text: string): string | null {
  if (isIPv4(text)) return text; // as the socket says it, nearly always
  let address = text.trim();
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(address);
  if (bracketed) address = bracketed[1]!;
  else if (/^[^:]*:\d+$/.test(address)) address = address.slice(0, address.indexOf(':'));
  address = address.replace(/%.*$/, '');
  const family = isIP(address);
  if (family !== 6) return family === 4 ? address : null;
  const { address: shortest } = new SocketAddress({ address, family: 'ipv6' }); // mapped ones are also written as ::ffff:102:304
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(shortest)?.[1] ?? address;
}
