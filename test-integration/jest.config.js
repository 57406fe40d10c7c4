// Tests against real servers: slower than unit tests, and two files at a time at most. The setup looks for
// the servers once, before any test file is read.
import base from '../jest.base.js'

/** @type {import('jest').Config} */
export default {
  ...base,
  testMatch: ['<rootDir>/**/*.test.ts'],
  testTimeout: 60_000,
  maxWorkers: 2,
  globalSetup: '<rootDir>/services/global-setup.mjs',
}
