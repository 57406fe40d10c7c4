// Reads a TypeScript file just well enough to list its imports and to search its code without being fooled
// by comments, strings and regular expressions.

const beforeRegex =
  /(?:^|[(,=:[!&|?{};+\-*%<>~^]|=>|\b(?:return|typeof|case|in|of|do|else|await|yield|void|delete|throw))\s*$/

/**
 * The code with comments and regular expressions blanked and every string replaced by its number between
 * two marks; line breaks stay, so that line numbers hold.
 */
export function mask(text) {
  const strings = []
  let code = ''
  let at = 0
  // Open template literals: how many braces are open inside the current `${…}`.
  const templates = []
  const blank = (part) => part.replace(/[^\n]/g, ' ')
  const until = (end) => {
    const part = text.slice(at, end)
    at = end
    return part
  }
  const endOf = (pattern) => {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    return found ? found.index + found[0].length : text.length
  }

  while (at < text.length) {
    const char = text[at]
    const pair = text.slice(at, at + 2)
    if (pair === '//') {
      const end = text.indexOf('\n', at)
      code += blank(until(end < 0 ? text.length : end))
    } else if (pair === '/*') {
      const end = text.indexOf('*/', at + 2)
      code += blank(until(end < 0 ? text.length : end + 2))
    } else if (char === "'" || char === '"') {
      const pattern = char === "'" ? /'(?:[^'\\\n]|\\[\s\S])*'?/y : /"(?:[^"\\\n]|\\[\s\S])*"?/y
      strings.push(until(endOf(pattern)).slice(1, -1))
      code += `\uE001${String(strings.length - 1)}\uE002`
    } else if (char === '`' || (char === '}' && templates.at(-1) === 0)) {
      if (char === '}') templates.pop()
      const part = until(endOf(/[`}](?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{)?/y))
      if (part.endsWith('${')) templates.push(0)
      code += char === '`' ? `\uE003${blank(part.slice(1))}` : blank(part)
    } else if (char === '/' && beforeRegex.test(code.slice(-40))) {
      code += blank(until(endOf(/\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y)))
    } else {
      if (templates.length > 0 && char === '{') templates[templates.length - 1] += 1
      if (templates.length > 0 && char === '}') templates[templates.length - 1] -= 1
      code += until(at + 1)
    }
  }
  return { code, strings }
}

const importForms = [
  // import x from 'y'; import type { x } from 'y'; export * from 'y'
  /\b(?:import|export)\b[^;()=\uE001\uE003]*?\bfrom\s*\uE001(\d+)\uE002/g,
  // import 'y'
  /\bimport\s*\uE001(\d+)\uE002/g,
  // import('y'), also as a type; require('y'); import.meta.resolve('y')
  /\b(?:import|require|import\s*\.\s*meta\s*\.\s*resolve|require\s*\.\s*resolve)\s*\(\s*\uE001(\d+)\uE002/g,
]

/** Every module that the file names, with the line on which its name stands. */
export function importsOf({ code, strings }) {
  const found = new Map()
  for (const form of importForms) {
    for (const match of code.matchAll(form)) {
      const at = match.index + match[0].lastIndexOf('\uE001')
      found.set(at, { module: strings[Number(match[1])], line: lineAt(code, at) })
    }
  }
  return [...found.entries()].sort(([a], [b]) => a - b).map(([, one]) => one)
}

/** The number of the line at an offset, from 1. */
export function lineAt(code, offset) {
  return code.slice(0, offset).split('\n').length
}
