/** Guards of the order in which the hour log syncs, names and deletes its files. */
import type { Guard } from './guard.ts';

const SYNC_TEST = 'test/sync-order.crash.test.ts';

export const ORDER_GUARDS: readonly Guard[] = [
  {
    name: 'fence-before-measuring',
    protects: 'B1: the fence is raised before a segment is measured',
    file: 'src/store/hour-log/seal.ts',
    find: `  await writeFileOnce(fencePath(root, hour), '');
  const names = await listSegments(folder);
  // One after the other: an unsorted segment is read from end to end.
  const segments: SealedSegment[] = [];
  for (const name of names) segments.push(await measureSegment(folder, name, hour));
`,
    replacement: `  const names = await listSegments(folder);
  const segments: SealedSegment[] = [];
  for (const name of names) segments.push(await measureSegment(folder, name, hour));
  await writeFileOnce(fencePath(root, hour), '');
`,
    test: { file: SYNC_TEST, name: 'B1 raises a fence that lasts before it measures a segment' },
  },
  {
    name: 'measured-sync',
    protects: 'S1: what a seal counts is synced before the seal is written',
    file: 'src/store/hour-log/seal.ts',
    find: 'await handle.datasync();',
    replacement: '',
    test: { file: SYNC_TEST, name: 'S1 syncs a segment that it measured before it writes the seal' },
  },
  {
    name: 'written-once',
    protects: 'F2: fence and seal are written once, whoever comes second',
    file: 'src/lib/atomic-file.ts',
    find: 'await link(temporary, path);',
    replacement: "await (await import('node:fs/promises')).copyFile(temporary, path);",
    test: { file: 'src/lib/atomic-file.test.ts', name: 'F2 keeps the file of the first of many writers' },
  },
  {
    name: 'content-before-name',
    protects: 'F1: a file is synced before it gets its name',
    file: 'src/lib/atomic-file.ts',
    find: 'await handle.writeFile(data);\n    await handle.sync();',
    replacement: 'await handle.writeFile(data);',
    test: { file: SYNC_TEST, name: 'F1 syncs a file that is written once before it has its name' },
  },
  {
    name: 'rename-order',
    protects: 'F1: a file that may be replaced is synced before it is renamed',
    file: 'src/lib/atomic-file.ts',
    find: `  const temporary = await writeTemporary(path, data);
  await rename(temporary, path);
`,
    replacement: `  const temporary = path + '.tmp';
  await (await open(temporary, 'w')).close();
  await rename(temporary, path);
  const handle = await open(path, 'w', 0o600);
  await handle.writeFile(data);
  await handle.sync();
  await handle.close();
`,
    test: { file: SYNC_TEST, name: 'F1 syncs a file that may be replaced before it has its name' },
  },
  {
    name: 'folder-after-rename',
    protects: 'F1: a folder is synced after a rename in it',
    file: 'src/lib/atomic-file.ts',
    find: 'await rename(temporary, path);\n  await syncFolder(dirname(path));',
    replacement: 'await rename(temporary, path);',
    test: { file: SYNC_TEST, name: 'F1 syncs a file that may be replaced before it has its name' },
  },
  {
    name: 'folder-after-link',
    protects: 'F1: a folder is synced after a link in it',
    file: 'src/lib/atomic-file.ts',
    find: 'await unlink(temporary);\n    await syncFolder(dirname(path));',
    replacement: 'await unlink(temporary);',
    test: { file: SYNC_TEST, name: 'F1 syncs a file that is written once before it has its name' },
  },
  {
    name: 'run-sync',
    protects: 'F1: a run is synced before it gets its name',
    file: 'src/store/hour-log/run-writer.ts',
    find: 'fsyncSync(this.#fd);',
    replacement: '',
    test: { file: SYNC_TEST, name: 'F3 deletes a segment only when its run is synced' },
  },
  {
    name: 'run-name-sync',
    protects: 'F1: the name of a run is durable before its segment goes',
    file: 'src/store/hour-log/run-writer.ts',
    find: 'syncFolderSync(dirname(this.#path));',
    replacement: '',
    test: { file: SYNC_TEST, name: 'F3 deletes a segment only when its run is synced' },
  },
  {
    name: 'segment-deleted-last',
    protects: 'F3: a segment is deleted only after its run is durable',
    file: 'src/store/hour-log/sort-segment.ts',
    find: `    writer.finish(receipts, { bytes: confirmedBytes });
  } catch (error) {
    writer.abort();
    throw error;
  }
  unlinkSync(segmentPath);
`,
    replacement: `    unlinkSync(segmentPath);
    writer.finish(receipts, { bytes: confirmedBytes });
  } catch (error) {
    writer.abort();
    throw error;
  }
`,
    test: { file: SYNC_TEST, name: 'F3 deletes a segment only when its run is synced' },
  },
  {
    name: 'import-name-sync',
    protects: 'F1: the name of an import is durable before it counts',
    file: 'src/store/hour-log/import-writer.ts',
    find: 'await syncFolder(importsFolder(root));',
    replacement: '',
    test: { file: SYNC_TEST, name: 'S4 makes the runs of an import durable before the import counts' },
  },
  {
    name: 'log-folder-sync',
    protects: "F1: the names of the hour log's folders are durable before it takes anything",
    file: 'src/store/hour-log/hour-log.ts',
    find: 'await syncFolder(root);',
    replacement: '',
    test: { file: SYNC_TEST, name: 'F1 makes the names of its own folders durable' },
  },
];
