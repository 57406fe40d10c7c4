/** What stores do with many records at once. Pure. */
import type { StoredResult } from '../backend/backend.ts'

/**
 * What is left of a batch when it was stored in order: of each id its first SUCCESS, which nothing may
 * replace, or its last record.
 */
export function lastOfEach(results: readonly StoredResult[]): StoredResult[] {
  if (results.length === 1) return [...results]
  const left = new Map<string, StoredResult>()
  for (const one of results) if (left.get(one.id)?.state !== 'SUCCESS') left.set(one.id, one)
  return [...left.values()]
}

export function chunksOf<T>(items: readonly T[], size: number): T[][] {
  const chunks: T[][] = []
  for (let i = 0; i < items.length; i += size) chunks.push(items.slice(i, i + size))
  return chunks
}
