/** The shelf of serializers. One line for each. */
import type { Serializer } from '../codec/serializer.ts'
import { json } from './json.ts'
import { msgpack } from './msgpack/msgpack.ts'
import { pickle } from './pickle/pickle.ts'
import { raw } from './raw.ts'
import { text } from './text.ts'
import { yaml } from './yaml/yaml.ts'

export const serializers = {
  json,
  yaml,
  msgpack,
  pickle,
  text,
  raw,
} as const satisfies Record<string, Serializer>
