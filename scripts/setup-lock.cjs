// Keeps two set-ups of one clone apart: the second waits, and then finds nothing left to do.
'use strict';

const fs = require('fs');
const { command, fail, say } = require('./setup-run.cjs');

/** Longer than the slowest set-up, apt-get's own wait of ten minutes included. */
const TIMEOUT_MS = 1200000;
const POLL_MS = 200;

/** Takes the lock file, waiting while another living process has it. Gives what releases it. */
function takeLock(file) {
  const until = Date.now() + TIMEOUT_MS;
  for (let isWaiting = false; ;) {
    if (writeIfAbsent(file)) return () => removeIfThere(file);
    const owner = readOwner(file);
    if (owner !== null && !isAlive(owner)) {
      removeIfThere(file); // its process was killed
      continue;
    }
    if (Date.now() > until) fail(`another set-up (process ${owner}) does not end; end it and run ${command} again.`);
    if (!isWaiting) say('waiting for another set-up of this clone to end …');
    isWaiting = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS);
  }
}

function writeIfAbsent(file) {
  try {
    fs.writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** The process that has the lock; null when it is just being taken or released. */
function readOwner(file) {
  try {
    return Number(fs.readFileSync(file, 'utf8')) || null;
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function removeIfThere(file) {
  try {
    fs.unlinkSync(file);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
}

module.exports = { takeLock };
