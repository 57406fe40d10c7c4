// `npm run check`: everything that must be green before a commit is shared. Stops at the first failure.
import { runStep } from './steps.mjs'

const steps = [
  ['format', 'format:check'],
  // Before lint: the type-aware rules read the declarations of the other packages.
  ['build', 'build'],
  ['lint', 'lint'],
  ['layers', 'layers'],
  ['types', 'typecheck'],
  ['tests', 'test'],
  ['examples', 'examples'],
]

for (const [title, script] of steps) {
  const code = await runStep(title, 'npm', ['run', '--silent', script])
  if (code !== 0) {
    console.error(`\ncheck failed at: ${title} (npm run ${script})`)
    process.exit(code)
  }
}
console.log('\ncheck passed')
