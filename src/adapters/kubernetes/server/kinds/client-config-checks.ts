import type { Json } from '../../objects/types.ts'
import { at, numberAt, textAt } from '../json.ts'
import { type Cause, invalidValue, required } from './checks.ts'
import { nameProblems } from './names.ts'

// Where a webhook is reached has to look like this.

const FORM = '; desired format: https://host[/path]'
const PORT_MAX = 65_535

/** What is wrong with the URL of a webhook. */
export function checkUrl(field: string, text: string): readonly Cause[] {
  const match = /^(?:([a-z][a-z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(\?[^#]*)?(#.*)?$/is.exec(text)
  const [, scheme = '', authority = '', , query = '?', fragment = '#'] = match ?? []
  const at = authority.lastIndexOf('@')
  const host = authority.slice(at + 1)
  const refused = (value: string, why: string): Cause => invalidValue(field, value, why)
  return [
    ...(scheme.toLowerCase() === 'https'
      ? []
      : [refused(scheme.toLowerCase(), `'https' is the only allowed URL scheme${FORM}`)]),
    ...(host === '' ? [refused(host, `host must be specified${FORM}`)] : []),
    ...(at < 0
      ? []
      : [refused(authority.slice(0, at), 'user information is not permitted in the URL')]),
    ...(fragment.length < 2
      ? []
      : [refused(fragment.slice(1), 'fragments are not permitted in the URL')]),
    ...(query.length < 2
      ? []
      : [refused(query.slice(1), 'query parameters are not permitted in the URL')]),
  ]
}

/** What is wrong with the service of a webhook. */
export function checkWebhookService(field: string, service: Json | undefined): readonly Cause[] {
  const port = numberAt(service, 'port') ?? 0
  const path = at(service, 'path')
  const isPort = Number.isInteger(port) && port >= 1 && port <= PORT_MAX
  const portText = `port is not valid: must be between 1 and ${PORT_MAX}, inclusive`
  return [
    // Kubernetes says of each that it is the other.
    ...(textAt(service, 'namespace') === '' ? [required(`${field}.name`)] : []),
    ...(textAt(service, 'name') === '' ? [required(`${field}.namespace`)] : []),
    ...(isPort ? [] : [invalidValue(`${field}.port`, port, portText)]),
    ...(typeof path === 'string' ? pathCauses(`${field}.path`, path) : []),
  ]
}

function pathCauses(field: string, path: string): readonly Cause[] {
  if (path === '' || path === '/') return []
  if (path === '//') return [invalidValue(field, path, 'segment[0] may not be empty')]
  const steps = path.slice(1).replace(/\/$/, '').split('/')
  return [
    ...(path.startsWith('/') ? [] : [invalidValue(field, path, "must start with a '/'")]),
    ...steps.flatMap((step, index) => {
      if (step === '') return [invalidValue(field, path, `segment[${index}] may not be empty`)]
      return nameProblems(step, 'subdomain').map((text) =>
        invalidValue(field, path, `segment[${index}]: ${text}`),
      )
    }),
  ]
}
