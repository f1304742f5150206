// Makes a clone ready to run, on whatever Node is there: `npm start` and `npm test` call it first. Quick when nothing is to do.
//
// Steps: packages in step with package-lock.json (npm ci) → does the pinned Node run → dist/ built from the sources as they are.
// With --test: what only tests need (Debian packages) instead of dist/, which is a step of the tests.
// What it runs writes to log files in .cache/; on failure it says one sentence and ends with 1. Plain CommonJS without newer
// syntax, here and in setup-*.cjs, so that an old Node can read it far enough to say that it is too old.
'use strict';

const childProcess = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const timers = require('timers');
const { takeLock } = require('./setup-lock.cjs');
const { cacheFile, command, fail, isTest, ROOT, runLogged, say, SetupError, shown } = require('./setup-run.cjs');
const { installTestTools } = require('./setup-test-tools.cjs');

const MODULES = path.join(ROOT, 'node_modules');
const STAMP = path.join(MODULES, '.tidegate-setup');
const PINNED_NODE = path.join(MODULES, 'node', 'bin', 'node');

/** The oldest Node whose npm reads this lock file and runs the install scripts. */
const OLDEST_SETUP_NODE = 18;
const OLDEST_NODE = 24;

/** What a shell gives for a program that Ctrl-C has ended. */
const EXIT_INTERRUPTED = 130;

/** What the user's npm settings or NODE_ENV may say against it, and the pinned Node would be left out. */
const NPM_CI = [
  'ci',
  '--include=dev',
  '--include=optional',
  '--ignore-scripts=false',
  '--package-lock',
  '--no-dry-run',
];

let isInterrupted = false;

function main() {
  const found = process.versions.node;
  if (majorOf(found) < OLDEST_SETUP_NODE) {
    const needed = `the set-up needs Node ${OLDEST_SETUP_NODE} or newer, and this is ${found}`;
    fail(`${needed}; install Node ${OLDEST_NODE} from https://nodejs.org and run ${command} again.`);
  }
  const release = takeLock(cacheFile('setup.lock'));
  // Ctrl-C reaches what runs too. npm takes some seconds to undo what it did, and until then the clone is not free for the next set-up.
  process.on('SIGINT', () => (isInterrupted = true));
  try {
    installPackages();
    if (isTest) installTestTools();
    else build();
  } finally {
    release();
  }
}

function installPackages() {
  if (isInStep() && pinnedNodeFault() === null) return;
  say('installing the packages (npm ci), which takes about half a minute …');
  runNpmCi();
  const fault = pinnedNodeFault();
  if (fault !== null) {
    const where = `a system that Node ${OLDEST_NODE} has binaries for (https://nodejs.org/en/download)`;
    fail(`the pinned Node, ${shown(PINNED_NODE)}, ${fault}; run ${command} on ${where}.`);
  }
  fs.writeFileSync(STAMP, readStamp());
}

/** What node_modules should have been made from. */
function readStamp() {
  const lock = fs.readFileSync(path.join(ROOT, 'package-lock.json'));
  return `${process.platform} ${process.arch} ${crypto.createHash('sha256').update(lock).digest('hex')}\n`;
}

/** Says whether node_modules holds what package-lock.json names; a tree that was installed by hand counts as well. */
function isInStep() {
  try {
    const stamp = readStamp();
    if (fs.existsSync(STAMP) && fs.readFileSync(STAMP, 'utf8') === stamp) return true;
    const wanted = readPackages(path.join(ROOT, 'package-lock.json'));
    const there = readPackages(path.join(MODULES, '.package-lock.json'));
    const isThere = (name) => (there[name] ? there[name].version === wanted[name].version : wanted[name].optional);
    const names = Object.keys(wanted).filter((name) => name !== '');
    if (!names.every(isThere) || !Object.keys(there).every((name) => wanted[name])) return false;
    fs.writeFileSync(STAMP, stamp);
    return true;
  } catch {
    return false; // a file is not there or unreadable: npm ci makes it, or says what is wrong
  }
}

function readPackages(file) {
  return JSON.parse(fs.readFileSync(file, 'utf8')).packages;
}

function runNpmCi() {
  const log = cacheFile('setup-npm-ci.log');
  // The node of node_modules/.bin goes away while npm runs, so npm must not run on it.
  const folders = String(process.env.PATH).split(path.delimiter);
  const PATH = folders.filter((folder) => !/node_modules[\\/]\.bin[\\/]?$/.test(folder)).join(path.delimiter);
  const result = runLogged('npm', NPM_CI, { log, env: Object.assign({}, process.env, { PATH }) });
  if (result.error) {
    const reason = result.error.code || result.error.message;
    const cure = `install Node ${OLDEST_NODE}, which brings npm, from https://nodejs.org and run ${command} again`;
    fail(`npm could not be started (${reason}); ${cure}.`);
  }
  if (result.status !== 0) fail(`npm ci failed${adviceOf(log)} and run ${command} again (log: ${shown(log)}).`);
}

const ADVICE_BY_CODE = [
  [
    /^(ENOTFOUND|EAI_AGAIN|ECONN.*|E(SOCKET)?TIMEDOUT|ERR_SOCKET_TIMEOUT|E5\d\d)$/,
    'the npm registry cannot be reached; check the connection',
  ],
  [/^ENOSPC$/, 'the disk is full; make room'],
  [/^(EACCES|EPERM|EROFS)$/, 'node_modules cannot be written; check whose files they are'],
  [/^(EUSAGE|EJSONPARSE)$/, 'package-lock.json is damaged or does not fit package.json; restore it with git checkout'],
];

/** Finds npm's error code in its log, and what to do about it. */
function adviceOf(log) {
  const match = /npm (?:error|ERR!) code (\S+)/.exec(fs.readFileSync(log, 'utf8'));
  if (!match) return '; read its log';
  const known = ADVICE_BY_CODE.find((entry) => entry[0].test(match[1]));
  return known ? ` (${match[1]}): ${known[1]}` : ` (${match[1]}); read its log`;
}

/** Says in words why the pinned Node cannot be used; null when it can. */
function pinnedNodeFault() {
  const { error, status, stdout, stderr } = childProcess.spawnSync(PINNED_NODE, ['-p', 'process.versions.node'], {
    encoding: 'utf8',
  });
  if (error) return error.code === 'ENOENT' ? 'is not there' : `does not run here (${error.code || error.message})`;
  if (status !== 0) return `does not run here (${stderr.trim().split('\n')[0]})`;
  return majorOf(stdout) >= OLDEST_NODE ? null : `is ${stdout.trim()} and should be ${OLDEST_NODE} or newer`;
}

function majorOf(version) {
  return parseInt(version, 10);
}

/** Builds dist/, which only makes bin/tidegate start faster: without it the sources run. */
function build() {
  const log = cacheFile('setup-build.log');
  const { status } = runLogged(PINNED_NODE, [path.join(ROOT, 'scripts', 'build.ts'), '--if-needed'], { log });
  if (status !== 0) say(`dist/ could not be built, so the sources run as they are (log: ${shown(log)}).`);
}

let fault = null;
try {
  main();
} catch (error) {
  fault = error instanceof SetupError ? error.message : `the set-up failed: ${error.message}.`;
}
// Not before here is a signal heard: all until now was one turn of the event loop.
timers.setImmediate(() => {
  if (isInterrupted) return process.exit(EXIT_INTERRUPTED);
  if (fault === null) return;
  say(fault);
  process.exit(1);
});
