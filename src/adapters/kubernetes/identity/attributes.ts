/** What a user asks to do, for an authorizer. */
export interface Attributes {
  readonly verb: string
  readonly group: string
  readonly version: string
  /** The plural, empty for a path that is no resource. */
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  /** What a list or watch is narrowed to, as it was asked for; undefined where it is not. */
  readonly fieldSelector?: string | undefined
  /** Set for a path that is no resource. */
  readonly path: string
}

/** Whether a user may: why, or why not. */
export interface Verdict {
  readonly allowed: boolean
  /** Which binding allows it, or what went wrong while looking; often empty. */
  readonly reason: string
}

/** The attributes of an action on a resource; what is left out is empty. */
export function resourceAttributes(
  given: Partial<Attributes> & Pick<Attributes, 'verb' | 'resource'>,
): Attributes {
  return { group: '', version: '*', subresource: '', namespace: '', name: '', path: '', ...given }
}

/**
 * What somebody who was refused could not do, in the words of Kubernetes, without who it was.
 */
export function actionText(attributes: Attributes): string {
  const { verb, group, resource, subresource, namespace, path } = attributes
  if (resource === '') return `${verb} path ${quoted(path)}`
  const asked = subresource === '' ? resource : `${resource}/${subresource}`
  const scope = namespace === '' ? 'at the cluster scope' : `in the namespace ${quoted(namespace)}`
  return `${verb} resource ${quoted(asked)} in API group ${quoted(group)} ${scope}`
}

/** A text in quotation marks, as Go writes it. */
export function quoted(text: string): string {
  return JSON.stringify(text)
}
