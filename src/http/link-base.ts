/** Finds the base of the links that an answer holds: where this client reaches the server. */
import type { IncomingMessage } from 'node:http';

const HOST = /^([0-9A-Za-z]([0-9A-Za-z._-]{0,252}[0-9A-Za-z.])?|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?$/;

/**
 * Gives the base, without a slash at its end: the configured public URL, else what the client's Host header says, else the
 * address at which the connection came in.
 *
 * A Host header is the client's own claim, and it comes back to this client alone. Behind a proxy that ends TLS or changes Host,
 * the operator sets the public URL.
 */
export function linkBaseOf(req: IncomingMessage, publicUrl: string | undefined): string {
  if (publicUrl !== undefined) return publicUrl.replace(/\/+$/, '');
  const { host } = req.headers;
  return `http://${host !== undefined && HOST.test(host) ? host : localHostOf(req)}`;
}

function localHostOf({ socket: { localAddress = '127.0.0.1', localPort = 80 } }: IncomingMessage): string {
  const address = localAddress.replace(/^::ffff:(?=\d+\.)/, ''); // an IPv4 client of an IPv6 socket
  return `${address.includes(':') ? `[${address}]` : address}:${localPort}`;
}
