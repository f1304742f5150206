/** Guards of tracking links, clicks and activations. */
import type { Guard } from './guard.ts';

const REDIRECT = 'src/collector/link-redirect.ts';
const REDIRECT_TEST = 'src/collector/link-redirect.test.ts';
const LINKS_TEST = 'test/ads-links.e2e.test.ts';
const ACTIVATIONS_TEST = 'test/ads-activations.e2e.test.ts';
const INDEX = 'src/ads/click-index-file.ts';
const INDEX_TEST = 'src/ads/click-index-file.test.ts';
const TARGET = 'src/ads/link-target.ts';
const TARGET_TEST = 'src/ads/link-target.test.ts';

export const ADS_GUARDS: readonly Guard[] = [
  {
    name: 'click-durable',
    protects: 'a click is answered when its row is durable',
    file: REDIRECT,
    find: 'const { sendTimeMs } = await store.append(batch);',
    replacement: 'const sendTimeMs = clock.nowMs(); void store.append(batch).catch(() => undefined);',
    test: { file: REDIRECT_TEST, name: 'sends nobody on before the click is durable' },
  },
  {
    name: 'click-head',
    protects: 'HEAD stores no click',
    file: REDIRECT,
    find: "if (request.method === 'GET') await this.#storeClick(",
    replacement: 'await this.#storeClick(',
    test: { file: LINKS_TEST, name: 'by HEAD is answered alike and stores nothing' },
  },
  {
    name: 'link-removed',
    protects: 'a link that was removed takes no click',
    file: REDIRECT,
    find: "if (link?.status !== 'activated')",
    replacement: 'if (!link)',
    test: { file: LINKS_TEST, name: 'is refused by any other method, and on a link that is unknown or removed' },
  },
  {
    name: 'click-limit',
    protects: "clicks count for their project's limit",
    file: REDIRECT,
    find: '    ingestLimit.charge(ai, bytes);\n',
    replacement: '    void bytes;\n',
    test: { file: LINKS_TEST, name: 'counts for the limit of what its project may send, and leaves other links alone' },
  },
  {
    name: 'click-own-row',
    protects: 'every hit is a row of its own',
    file: 'src/events/map-click.ts',
    find: 'rowId: randomBytes(ROW_ID_BYTES),',
    replacement: 'rowId: randomBytes(ROW_ID_BYTES).fill(1),',
    test: { file: LINKS_TEST, name: 'is a row of its own with what the link and the query say' },
  },
  {
    name: 'link-scheme',
    protects: 'a link leads only to the web and to schemes that the operator allows',
    file: TARGET,
    find: '(REFUSED_SCHEMES.includes(scheme) || !appSchemes.includes(scheme))',
    replacement: 'REFUSED_SCHEMES.includes(scheme)',
    test: { file: TARGET_TEST, name: 'refuses every other target, however it is written' },
  },
  {
    name: 'link-blanks',
    protects: 'no blank or control character hides the scheme of a target',
    file: TARGET,
    find: 'if (/[\\s\\p{Cc}\\p{Cs}\\p{Cf}\\\\]/u.test(text))',
    replacement: 'if (text === ``)',
    test: { file: TARGET_TEST, name: 'refuses every other target, however it is written' },
  },
  {
    name: 'link-of-project',
    protects: "an activation belongs to no other project's link",
    file: 'src/ads/activations.ts',
    find: 'if (named?.ai === ai) return',
    replacement: 'if (named) return',
    test: {
      file: ACTIVATIONS_TEST,
      name: "belongs to the link that it names, if that is the project's; another project's it does not show",
    },
  },
  {
    name: 'click-window',
    protects: 'a click counts for 15 days',
    file: INDEX,
    find: 'WHERE key = ? AND time_ms > ?',
    replacement: 'WHERE key = ? AND time_ms > 0 * ?',
    test: { file: INDEX_TEST, name: 'count for 15 days, to the millisecond, and are the last of any day' },
  },
  {
    name: 'device-once',
    protects: 'a device has one activation in 15 days',
    file: INDEX,
    find: "if (known.is_pending === 0) return 'repeated';",
    replacement: '',
    test: { file: INDEX_TEST, name: 'count once for a device in 15 days, whatever event repeats it' },
  },
  {
    name: 'device-resent',
    protects: 'an activation whose row was not stored is taken when it is sent again',
    file: INDEX,
    find: 'textOf(known.row_id) !== textOf(rowId) && ',
    replacement: '',
    test: { file: INDEX_TEST, name: 'are taken again when the same event is sent again and no row was confirmed' },
  },
  {
    name: 'device-lease',
    protects: 'a claim that a crash left does not cost the device its row',
    file: INDEX,
    find: ' && known.time_ms > nowMs - LEASE_MS) isBusy = true;',
    replacement: ') isBusy = true;',
    test: {
      file: INDEX_TEST,
      name: 'wait for another of the device that is on its way, and take its place when it was lost',
    },
  },
  {
    name: 'device-rollback',
    protects: 'a claim that has to wait claims nothing beside',
    file: INDEX,
    find: "this.#database.exec(result === undefined ? 'ROLLBACK' : 'COMMIT');",
    replacement: "this.#database.exec('COMMIT');",
    test: {
      file: INDEX_TEST,
      name: 'wait for another of the device that is on its way, and take its place when it was lost',
    },
  },
  {
    name: 'device-placeholders',
    protects: 'what many devices share makes them no one device',
    file: 'src/events/device-id.ts',
    find: 'PLACEHOLDERS.has(id)) return null;',
    replacement: 'id === ``) return null;',
    test: { file: 'src/ads/device-keys.test.ts', name: 'takes what stands for an id in many devices for none' },
  },
  {
    name: 'ads-key',
    protects: 'ids cannot be found out from the index without the catalog',
    file: 'src/ads/device-keys.ts',
    find: "hash('sha256', `ads\\0${secret.toString('hex')}`, 'hex')",
    replacement: "hash('sha256', `ads\\0${secret.length}`, 'hex')",
    test: {
      file: 'src/ads/device-keys.test.ts',
      name: 'differ by project, kind, value, and the secret of the data directory, and hold no id',
    },
  },
  {
    name: 'ads-name',
    protects: 'names hold only what the document allows',
    file: 'src/catalog/link-rules.ts',
    find: '  if (!NAME_FORM.test(name))\n',
    replacement: '  if (name === ``)\n',
    test: {
      file: 'src/catalog/link-table.test.ts',
      name: 'takes names of 50 letters, digits, Chinese and - / _ and comma, and no others',
    },
  },
];
