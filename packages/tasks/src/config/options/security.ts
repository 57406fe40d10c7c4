/** Settings of signed messages. */
import { anyText, option, optional, text } from '../option.ts'

export const securityOptions = {
  securityCertificate: option(optional(text), undefined, 'PEM certificate to sign with.', {
    planned: true,
  }),
  securityCertStore: option(
    optional(text),
    undefined,
    'Directory or glob of trusted certificates.',
    {
      planned: true,
    },
  ),
  securityKey: option(optional(text), undefined, 'PEM private key.', {
    planned: true,
    secret: true,
  }),
  securityKeyPassword: option(optional(anyText), undefined, 'Its passphrase.', {
    planned: true,
    secret: true,
  }),
  securityDigest: option(text, 'sha256', 'Name of the hash.', { planned: true }),
} as const
