import { AUTHORIZATION_FUNCTIONS } from './authorization.ts'
import { type Functions, functionsOf } from './functions.ts'
import { LIST_FUNCTIONS } from './lists.ts'
import { NAMED_FORMAT_FUNCTIONS } from './named-formats.ts'
import { NETWORK_FUNCTIONS } from './networks.ts'
import { CONVERSIONS, OPERATOR_FUNCTIONS } from './operators.ts'
import { QUANTITY_FUNCTIONS } from './quantities.ts'
import { TEXT_FUNCTIONS } from './texts.ts'
import { TIME_FUNCTIONS } from './times.ts'
import { URL_FUNCTIONS } from './urls.ts'

/**
 * The functions that expressions may call: those of CEL, its extensions for strings, sets, lists and
 * optional values, and those of Kubernetes (lists, regular expressions, URLs, IP addresses, CIDRs,
 * quantities, versions, named formats, authorization).
 */
export const FUNCTIONS: Functions = functionsOf(
  OPERATOR_FUNCTIONS,
  CONVERSIONS,
  TEXT_FUNCTIONS,
  LIST_FUNCTIONS,
  TIME_FUNCTIONS,
  QUANTITY_FUNCTIONS,
  NETWORK_FUNCTIONS,
  URL_FUNCTIONS,
  NAMED_FORMAT_FUNCTIONS,
  AUTHORIZATION_FUNCTIONS,
)
