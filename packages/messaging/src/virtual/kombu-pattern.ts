/** How Kombu writes topic keys into shared storage, for Python peers that match with them. */

/** Kombu's regular expression for a topic key. Kombu: virtual/exchange.py. */
export function kombuPattern(routingKey: string): string {
  const words = routingKey.split('.').map((word) => {
    if (word === '*') return '.*?[^\\.]'
    if (word === '#') return '.*?'
    return word.replaceAll(/[\\^$*+?{}[\]|()\-&~#\s]/g, '\\$&')
  })
  return `^${words.join('\\.')}$`
}
