// Installs what only tests need: the compressor library, and the readers that packages are tested with.
//
// On Debian as root by itself, else it says how. Without them the tests in question are skipped with that reason, but never in CI.
'use strict';

const childProcess = require('child_process');
const fs = require('fs');
const { cacheFile, fail, runLogged, say, shown } = require('./setup-run.cjs');

const OLDEST_JAVA = 11;
const LIBRARIES = ['libisal2', 'strace', 'libcommons-csv-java', 'libcommons-compress-java'];
const PROGRAMS = ['python3', 'curl', 'openssl'];
const INSTALL = ['install', '-y', '--no-install-recommends'];

function installTestTools() {
  const missing = listMissing();
  if (missing.length === 0) return;
  const names = missing.join(' ');
  if (!fs.existsSync('/etc/debian_version')) {
    giveUp(`some tests need what Debian calls ${names}; install it with the package manager of this system`);
  } else if (process.getuid() !== 0) {
    giveUp(`some tests need more; install it with: sudo apt-get ${INSTALL.join(' ')} ${names}`);
  } else {
    say(`installing what tests need (${names}) …`);
    const log = cacheFile('setup-apt.log');
    if (!runAptGet(missing, log)) giveUp(`apt-get could not install ${names} (log: ${shown(log)})`);
  }
}

function giveUp(sentence) {
  if (process.env.CI === 'true') fail(`${sentence}.`);
  say(`${sentence}. The tests that need it are skipped.`);
}

function listMissing() {
  const missing = LIBRARIES.filter((name) => !isInstalled(name));
  const java = /\d+/.exec(outputOf('javac', ['-version']));
  if (!java || Number(java[0]) < OLDEST_JAVA) missing.push('default-jdk-headless');
  const isAbsent = (program) => childProcess.spawnSync(program, ['--version']).error !== undefined;
  return missing.concat(PROGRAMS.filter(isAbsent));
}

function isInstalled(name) {
  return outputOf('dpkg-query', ['-W', '-f=${db:Status-Status}', name]) === 'installed';
}

/** What a program prints; nothing when it is not there or fails. */
function outputOf(program, args) {
  const { status, stdout, stderr } = childProcess.spawnSync(program, args, { encoding: 'utf8' });
  return status === 0 ? stdout + stderr : '';
}

/** Tries with the package lists as they are first: fetching them takes longer than most installations. */
function runAptGet(names, log) {
  const env = Object.assign({}, process.env, { DEBIAN_FRONTEND: 'noninteractive' });
  const succeeds = (args, appends) =>
    runLogged('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=600'].concat(args), { log, env, appends }).status === 0;
  return (
    succeeds(INSTALL.concat(names), false) || (succeeds(['update'], true) && succeeds(INSTALL.concat(names), true))
  );
}

module.exports = { installTestTools };
