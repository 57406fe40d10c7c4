// What each case of the canvas bench must give, and how a system tells what it took.

/** Milliseconds of each call, one after the other: `idle` leaves 10 ms between two, `latency` none. */
export async function latencies(name, count, call) {
  const took = []
  for (let i = 0; i < count; i++) {
    if (name === 'idle') await new Promise((resolve) => setTimeout(resolve, 10))
    const began = performance.now()
    await call(i)
    took.push(performance.now() - began)
  }
  return took
}

/** Runs a case once; prints a JSON line with its seconds, and CPU seconds of this process. */
export async function tell(name, count, work) {
  const cpu = process.cpuUsage()
  const began = performance.now()
  const found = await work()
  const seconds = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const cpuSeconds = (user + system) / 1e6
  if (Array.isArray(found)) {
    const sorted = found.toSorted((a, b) => a - b)
    const at = (share) => sorted[Math.floor(sorted.length * share)]
    console.log(JSON.stringify({ seconds: at(0.5) / 1000, p99: at(0.99) / 1000, cpuSeconds }))
    return
  }
  if (found !== count) throw new Error(`${name} of ${count} gave ${JSON.stringify(found)}`)
  console.log(JSON.stringify({ seconds, cpuSeconds }))
}
