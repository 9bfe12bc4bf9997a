import type { JsonObject, KubeObject } from '../../objects/types.ts'
import { at, isObject, listAt, objectAt, textAt } from '../json.ts'
import { type Fill, inside, mapField, withDefaults } from '../kinds/filling.ts'

const HTTPS_PORT = 443

const webhookPort: Fill = inside(
  'webhook',
  inside(
    'clientConfig',
    inside('service', (service) => withDefaults(service, { port: HTTPS_PORT })),
  ),
)

/** A definition with what it gets where it says nothing. */
export const definitionDefaults: Fill = inside('spec', (spec) => {
  const names = objectAt(spec, 'names')
  const kind = textAt(names, 'kind')
  const named = withDefaults(names, {
    singular: kind === '' ? undefined : kind.toLowerCase(),
    listKind: kind === '' ? undefined : `${kind}List`,
  })
  const filled = withDefaults({ ...spec, names: named }, { conversion: { strategy: 'None' } })
  return mapField(filled, 'conversion', webhookPort)
})

/** What is said of a new definition before it is looked at. */
export function firstDefinitionStatus(definition: KubeObject): JsonObject {
  const storage = listAt(definition, 'spec', 'versions').find(
    (version) => isObject(version) && at(version, 'storage') === true,
  )
  const name = textAt(storage, 'name')
  return {
    acceptedNames: { kind: '', plural: '' },
    conditions: [],
    storedVersions: name === '' ? [] : [name],
  }
}
