import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AppError, ConfigurationError } from '../errors/app-error.ts';
import { parseLinkSchemes, parseLinkTarget } from './link-target.ts';

const APPS = ['shopapp', 'itms-apps'];

describe('parseLinkTarget', () => {
  it('takes web addresses and the schemes that the operator allows, as they are', () => {
    for (const target of [
      'https://shop.example.com',
      'https://shop.example.com/app?x=1&y=%E5%8F%8C#top',
      'http://127.0.0.1:8080/a',
      'HTTPS://shop.example.com/',
      'shopapp://product/7?from=ad',
      'itms-apps://itunes.apple.com/app/id1',
    ])
      assert.equal(parseLinkTarget(target, APPS), target);
  });

  it('escapes what is no ASCII, which no header could carry', () => {
    assert.equal(
      parseLinkTarget('https://shop.example.com/双?q=十', []),
      'https://shop.example.com/%E5%8F%8C?q=%E5%8D%81',
    );
    assert.equal(parseLinkTarget('https://商店.example/', []), 'https://xn--czrs0t.example/');
  });

  it('refuses every other target, however it is written', () => {
    for (const target of [
      ...[
        'javascript:alert(1)',
        'JaVaScRiPt:alert(1)',
        ' javascript:alert(1)',
        'java\nscript:alert(1)',
        'java\tscript:1',
      ],
      ...[
        '\u0001javascript:alert(1)',
        'javascript&#58;alert(1)',
        'data:text/html,<script>',
        'vbscript:x',
        'file:///etc/passwd',
      ],
      ...[
        'blob:https://a/b',
        'about:blank',
        'view-source:https://a/',
        'intent://a#Intent;end',
        'otherapp://x',
        'mailto:a@b',
      ],
      ...[
        '//evil.example',
        '/path',
        'shop.example.com',
        '',
        'https:',
        'https:///x',
        'https://',
        'http:evil.example',
        'https:/evil',
      ],
      ...[
        'https://shop.example.com\\@evil.example/',
        'https://user:password@evil.example/',
        'https://user@evil.example/',
      ],
      ...[
        'https://shop.example.com/\r\nSet-Cookie: a=b',
        'https://shop.example.com/a b',
        'https://a/\u202Egpj',
        'https://a/\ud800',
      ],
      `https://shop.example.com/${'a'.repeat(2_100)}`,
      `https://shop.example.com/${'苹'.repeat(230)}`,
    ]) {
      assert.throws(
        () => parseLinkTarget(target, APPS),
        (error) => error instanceof AppError && error.code === 'link_target_refused',
        JSON.stringify(target),
      );
    }
  });
});

describe('parseLinkSchemes', () => {
  it('takes schemes with and without a colon, in any case', () => {
    assert.deepEqual(parseLinkSchemes(['ShopApp', 'itms-apps:', 'weixin://']), ['shopapp', 'itms-apps', 'weixin']);
  });

  it('refuses what is no scheme, and those that run script or open files, even for the operator', () => {
    for (const word of ['javascript', 'Data:', 'file', 'in tent', '1app', 'a/b', ''])
      assert.throws(() => parseLinkSchemes([word]), ConfigurationError, word);
  });
});
