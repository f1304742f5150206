import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClientAddresses } from './client-address.ts';

const PROXIES = ['10.0.0.0/8', '127.0.0.1', '2001:db8::/32', '::1'];

type Case = {
  readonly what: string;
  readonly from: string | undefined;
  readonly forwarded?: string;
  readonly real?: string;
  readonly client: string | null;
};

const CASES: readonly Case[] = [
  { what: 'the socket where nobody forwards', from: '203.0.113.9', client: '203.0.113.9' },
  { what: 'an IPv6 socket', from: '2a00::5', client: '2a00::5' },
  { what: 'an IPv4-mapped socket, unwrapped', from: '::ffff:203.0.113.9', client: '203.0.113.9' },
  { what: 'a socket with a zone', from: 'fe80::1%eth0', client: 'fe80::1' },
  { what: 'nothing when the socket is gone', from: undefined, client: null },

  { what: 'the socket of a stranger who forwards', from: '203.0.113.9', forwarded: '1.1.1.1', client: '203.0.113.9' },
  { what: 'the socket of a stranger with X-Real-IP', from: '203.0.113.9', real: '1.1.1.1', client: '203.0.113.9' },
  { what: 'the client that a proxy names', from: '10.0.0.1', forwarded: '203.0.113.9', client: '203.0.113.9' },
  {
    what: 'the client behind an IPv4-mapped proxy',
    from: '::ffff:10.0.0.1',
    forwarded: '203.0.113.9',
    client: '203.0.113.9',
  },
  { what: 'the client behind an IPv6 proxy', from: '2001:db8::7', forwarded: '2a00::5', client: '2a00::5' },
  {
    what: 'the client behind two proxies',
    from: '10.0.0.1',
    forwarded: '203.0.113.9, 10.0.0.2',
    client: '203.0.113.9',
  },

  {
    what: 'the last that no proxy of ours is, not what the client made up',
    from: '10.0.0.1',
    forwarded: '1.1.1.1, 2.2.2.2, 203.0.113.9',
    client: '203.0.113.9',
  },
  {
    what: 'the last, where the client made up an address of our proxies',
    from: '10.0.0.1',
    forwarded: '10.0.0.3, 203.0.113.9',
    client: '203.0.113.9',
  },
  {
    what: 'the nearest that can be read, and nothing left of what cannot',
    from: '10.0.0.1',
    forwarded: '6.6.6.6, garbage, 10.0.0.7',
    client: '10.0.0.7',
  },
  {
    what: 'the first when all are proxies of ours',
    from: '10.0.0.1',
    forwarded: '10.0.0.9, 10.0.0.2',
    client: '10.0.0.9',
  },
  { what: 'the proxy when it names nothing readable', from: '10.0.0.1', forwarded: 'unknown', client: '10.0.0.1' },
  { what: 'the proxy when the nearest name is empty', from: '10.0.0.1', forwarded: '1.1.1.1, ', client: '10.0.0.1' },
  {
    what: 'no X-Real-IP where something is forwarded: a proxy that only appends passes it on from the client',
    from: '10.0.0.1',
    forwarded: 'unknown',
    real: '6.6.6.6',
    client: '10.0.0.1',
  },
  { what: 'X-Real-IP of a proxy', from: '127.0.0.1', real: '203.0.113.9', client: '203.0.113.9' },
  {
    what: 'X-Real-IP beside an empty header',
    from: '127.0.0.1',
    forwarded: ' ',
    real: '203.0.113.9',
    client: '203.0.113.9',
  },
  { what: 'the proxy where X-Real-IP cannot be read', from: '127.0.0.1', real: 'x, 1.1.1.1', client: '127.0.0.1' },
  { what: 'the proxy where it says nothing', from: '127.0.0.1', client: '127.0.0.1' },

  { what: 'an address with a port', from: '10.0.0.1', forwarded: '203.0.113.9:4711', client: '203.0.113.9' },
  { what: 'an IPv6 address in brackets', from: '10.0.0.1', forwarded: '[2a00::5]', client: '2a00::5' },
  { what: 'an IPv6 address in brackets with a port', from: '10.0.0.1', forwarded: '[2a00::5]:4711', client: '2a00::5' },
  {
    what: 'an IPv4-mapped address, unwrapped',
    from: '10.0.0.1',
    forwarded: '::FFFF:203.0.113.9',
    client: '203.0.113.9',
  },
  {
    what: 'an IPv4-mapped address in hexadecimal digits, unwrapped',
    from: '10.0.0.1',
    forwarded: '::ffff:cb00:7109',
    client: '203.0.113.9',
  },
  {
    what: 'an IPv4-mapped address with all its zeros, unwrapped',
    from: '10.0.0.1',
    forwarded: '0:0:0:0:0:ffff:203.0.113.9',
    client: '203.0.113.9',
  },
  {
    what: 'an address among tabs and blanks',
    from: '10.0.0.1',
    forwarded: '\t203.0.113.9 ,10.0.0.2',
    client: '203.0.113.9',
  },
  { what: 'no host name', from: '10.0.0.1', forwarded: 'shop.example.test', client: '10.0.0.1' },
  { what: 'no number out of range', from: '10.0.0.1', forwarded: '256.1.1.1', client: '10.0.0.1' },
  { what: 'no address in octal', from: '10.0.0.1', forwarded: '010.1.1.1', client: '10.0.0.1' },
];

describe('ClientAddresses', () => {
  for (const { what, from, forwarded, real, client } of CASES) {
    it(`finds ${what}`, () => {
      const headers = {
        ...(forwarded !== undefined && { 'x-forwarded-for': forwarded }),
        ...(real !== undefined && { 'x-real-ip': real }),
      };
      assert.equal(new ClientAddresses(PROXIES).find(from, headers), client);
    });
  }

  it('trusts nobody by default', () => {
    const headers = { 'x-forwarded-for': '1.1.1.1', 'x-real-ip': '1.1.1.1' };
    assert.equal(new ClientAddresses([]).find('127.0.0.1', headers), '127.0.0.1');
  });

  it('says every range that is none, and takes those at the edges', () => {
    const wrong = ['10.0.0.0/33', '::1/129', '10.0.0/8', 'localhost', '', '1.2.3.4/', '1.2.3.4/-1', '1.2.3.4/8/8'];
    wrong.push('fe80::1%eth0');
    assert.throws(
      () => new ClientAddresses(wrong),
      ({ faults }: { faults: readonly string[] }) => faults.length === wrong.length,
    );
    assert.ok(new ClientAddresses(['0.0.0.0/0', '::/0', '1.2.3.4/32', '::1/128']));
  });
});
