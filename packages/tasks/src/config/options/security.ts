/** Settings of signed messages, which `app.setupSecurity()` turns on. */
import { anyText, option, optional, text } from '../option.ts'

export const securityOptions = {
  securityCertificate: option(
    optional(text),
    undefined,
    'File of the certificate of `securityKey`, in PEM, or its text.',
  ),
  securityCertStore: option(
    optional(text),
    undefined,
    'Directory or glob of trusted certificates.',
  ),
  securityKey: option(
    optional(text),
    undefined,
    'File of the private key messages are signed with, in PEM, or its text.',
    { secret: true },
  ),
  securityKeyPassword: option(optional(anyText), undefined, 'Its passphrase.', { secret: true }),
  securityDigest: option(text, 'sha256', 'Name of the hash of signatures.'),
} as const
