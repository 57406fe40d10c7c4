/** "Did you mean …" for names that were mistyped. */

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}

/** The known name nearest to `name`, or undefined when none is near. Case and separators do not count. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[-_.]/g, '')
  const wanted = plain(name)
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(wanted.length / 3)) + 1
  for (const candidate of known) {
    const d = distance(wanted, plain(candidate))
    if (d < bestDistance) [best, bestDistance] = [candidate, d]
  }
  return best
}

/** ` Did you mean 'x'?`, or nothing. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const hit = nearest(name, known)
  return hit === undefined ? '' : ` Did you mean '${hit}'?`
}
