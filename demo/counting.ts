/** What the demo computes, as plain functions: the tasks call them, and so does the direct computation. */

export interface Counts {
  readonly file: string
  readonly lines: number
  readonly words: number
  readonly characters: number
}

export function countText(file: string, text: string): Counts {
  return {
    file,
    lines: text.split('\n').length - 1,
    words: text.split(/\s+/).filter((word) => word !== '').length,
    characters: text.length,
  }
}

export function joinCounts(counts: readonly Counts[]): Counts {
  const sum = (of: (one: Counts) => number): number =>
    counts.reduce((total, one) => total + of(one), 0)
  return {
    file: `${counts.length} documents`,
    lines: sum((one) => one.lines),
    words: sum((one) => one.words),
    characters: sum((one) => one.characters),
  }
}

export function reportText({ file, lines, words, characters }: Counts): string {
  return `${file}: ${lines} lines, ${words} words, ${characters} characters`
}
