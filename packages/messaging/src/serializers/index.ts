/** The shelf of serializers. One line for each. */
import type { Serializer } from '../codec/serializer.ts'
import { json } from './json.ts'
import { raw } from './raw.ts'
import { text } from './text.ts'

export const serializers = { json, text, raw } as const satisfies Record<string, Serializer>
