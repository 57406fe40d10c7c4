// Runs one step of a longer check with a headline and the time it took.
import { spawn } from 'node:child_process'
import { rootDir } from './services/state.mjs'

/** Resolves with the exit code; the step's output goes straight through. */
export function runStep(title, command, args) {
  console.log(`\n▶ ${title}`)
  const begin = Date.now()
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: rootDir, stdio: 'inherit' })
    child.on('error', (error) => {
      console.error(error.message)
      resolve(127)
    })
    child.on('close', (code) => {
      const seconds = ((Date.now() - begin) / 1000).toFixed(1)
      console.log(`${code === 0 ? '✔' : '✘'} ${title} (${seconds} s)`)
      resolve(code ?? 1)
    })
  })
}
