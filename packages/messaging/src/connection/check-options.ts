/** Options nobody reads are mistakes: a setting that does nothing is worse than an error. */
import { MessagingError } from '../kernel/errors.ts'
import { didYouMean } from '../kernel/suggest.ts'
import type { Target, Transport } from '../transport/transport.ts'
import { urlOptionNames } from './options.ts'

/** Throws `MESSAGING_OPTION_INVALID` for an option the transport does not know. */
export function checkTransportOptions(transport: Transport, { options, masked }: Target): void {
  if (!transport.options) return
  for (const name of Object.keys(options)) {
    if (urlOptionNames.includes(name) || transport.options.includes(name)) continue
    throw new MessagingError(
      'MESSAGING_OPTION_INVALID',
      'fatal',
      `the ${transport.name} transport has no option '${name}' (for ${masked}).${didYouMean(name, [...transport.options, ...urlOptionNames])}`,
    )
  }
}
