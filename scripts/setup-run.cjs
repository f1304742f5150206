// What the parts of the set-up share: where things are, how they speak, how they run other programs.
'use strict';

const childProcess = require('child_process');
const fs = require('fs');
const path = require('path');

const ROOT = path.resolve(__dirname, '..');
const isTest = process.argv.indexOf('--test') !== -1;

/** What the set-up ends with: one sentence, for the user. */
class SetupError extends Error {}

/** Ends the set-up with one sentence. */
function fail(sentence) {
  throw new SetupError(sentence);
}

/** Prints a line; standard output stays for what comes after the set-up. */
function say(line) {
  process.stderr.write(`tidegate: ${line}\n`);
}

/** Gives the path of a file in .cache/. */
function cacheFile(name) {
  fs.mkdirSync(path.join(ROOT, '.cache'), { recursive: true });
  return path.join(ROOT, '.cache', name);
}

/** Gives a path as the user would write it. */
function shown(file) {
  return path.relative(process.cwd(), file);
}

/** Runs a program in the clone with its output in a log file. Gives its exit code, or what kept it from starting. */
function runLogged(program, args, { log, env, appends }) {
  const file = fs.openSync(log, appends ? 'a' : 'w');
  try {
    const stdio = ['ignore', file, file];
    return childProcess.spawnSync(program, args, { cwd: ROOT, env: env || process.env, stdio });
  } finally {
    fs.closeSync(file);
  }
}

/** The command that the user typed. */
const command = isTest ? 'npm test' : 'npm start';

module.exports = { cacheFile, command, fail, isTest, ROOT, runLogged, say, SetupError, shown };
