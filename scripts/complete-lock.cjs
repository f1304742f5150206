// Adds to package-lock.json the entries of optional platform packages that the registry at hand does not serve.
//
// npm records only the platform packages it could look up; `npm ci` then refuses the lock file as out of step. Run this after
// `npm install` on a machine whose registry serves one platform only. The entries carry no checksum for the platforms that were
// not looked up: npm then takes the registry's own.
'use strict';
const { readFileSync, writeFileSync } = require('node:fs');

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));

/** Reads os, cpu and libc from the last words of a package name such as "x-linux-arm64-musl". */
function platformOf(name) {
  const match =
    /-(linux|darwin|win32|freebsd|openbsd|android)-(x64|arm64|ia32|arm|riscv64|ppc64|loong64|s390x)(?:-(musl|gnu))?$/.exec(
      name,
    );
  if (!match) return null;
  const [, os, cpu, libc] = match;
  return { os: [os], cpu: [cpu], ...(os === 'linux' && libc ? { libc: [libc === 'musl' ? 'musl' : 'glibc'] } : {}) };
}

let added = 0;
for (const entry of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
    const platform = platformOf(name);
    if (lock.packages[key] || !platform) continue;
    lock.packages[key] = { version, ...(entry.dev ? { dev: true } : {}), optional: true, ...platform };
    added += 1;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`);
console.log(`package-lock.json: ${added} platform entries added`);
