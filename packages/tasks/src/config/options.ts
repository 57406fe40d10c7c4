/** The whole table of settings, and the types that follow from it: one source for all of them. */
import type { Option } from './option.ts'
import { beatOptions } from './options/beat.ts'
import { brokerOptions } from './options/broker.ts'
import { controlOptions } from './options/control.ts'
import { eventOptions } from './options/event.ts'
import { generalOptions } from './options/general.ts'
import { resultOptions } from './options/result.ts'
import { securityOptions } from './options/security.ts'
import { storeOptions } from './options/stores.ts'
import { taskOptions } from './options/task.ts'
import { workerOptions } from './options/worker.ts'

/** Every setting by its camelCase name. */
export const options = {
  ...generalOptions,
  ...brokerOptions,
  ...taskOptions,
  ...resultOptions,
  ...workerOptions,
  ...beatOptions,
  ...eventOptions,
  ...controlOptions,
  ...securityOptions,
  ...storeOptions,
} as const

export type OptionName = keyof typeof options

type Value<O> = O extends Option<infer T, infer _> ? T : never
type Input<O> = O extends Option<infer _, infer I> ? I : never

/** All settings, resolved and frozen; "none" is undefined. */
export type Config = { readonly [K in OptionName]: Value<(typeof options)[K]> }

/** What a user may give: any of the settings; null is "none", undefined is "not given". */
export type Settings = {
  readonly [K in OptionName]?: Input<(typeof options)[K]> | undefined
}
