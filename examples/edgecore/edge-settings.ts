import { isIP } from 'node:net'
import { auditSettings } from '../shared/audit-log.ts'
import { type LogFormat, type LogLevel, logSettings } from '../shared/logging.ts'
import { metricsAddressSetting } from '../shared/operations.ts'
import { stateDirectory } from '../shared/private-files.ts'
import {
  type Address,
  addressSetting,
  directorySetting,
  labelSetting,
  listSetting,
  parseAddress,
  type Setting,
  switchSetting,
  textSetting,
  type Values,
} from '../shared/settings.ts'
import { evictionSettings } from './eviction-settings.ts'
import { kubeletSettings } from './kubelet-settings.ts'
import { runtimeSettings } from './open-runtime.ts'

/** What the environment variables of edgecore start with. */
export const EDGE_ENV = 'TIDEWAY_EDGECORE_'

/** The settings of everything that only looks at a data directory. */
export const directorySettings: { readonly data: Setting<string> } = {
  data: directorySetting(
    'where the node keeps its log, credentials and the files of its pods, readable by its user only',
    () => stateDirectory('edgecore'),
    '$XDG_STATE_HOME/tideway/edgecore, with ~/.local/state for XDG_STATE_HOME',
  ),
}

/** What joining a fleet can be told. */
export const joinSettings: {
  readonly data: Setting<string>
  readonly token: Setting<string | undefined>
  readonly name: Setting<string | undefined>
} = {
  ...directorySettings,
  token: textSetting(
    'lets this node into a fleet, once; "cloudcore token create --node NAME" makes it',
    'TOKEN',
    'none; needed once',
  ),
  name: labelSetting(
    'the name of this node, if it is to be checked: the token says it',
    'the name in the token',
  ),
}

/** What kubelet and most clusters call it. */
export const CLUSTER_DOMAIN = 'cluster.local'

function parseIp(text: string): string | undefined {
  return isIP(text) === 0 ? undefined : text
}

function parseSysctl(text: string): string | undefined {
  return /^[a-z0-9][a-z0-9._/-]*\*?$/.test(text) ? text : undefined
}

/** Every setting of edgecore. */
export const edgeSettings: typeof joinSettings &
  typeof runtimeSettings &
  typeof kubeletSettings &
  typeof evictionSettings &
  typeof auditSettings & {
    readonly server: Setting<readonly Address[]>
    readonly apiAddress: Setting<Address>
    readonly address: Setting<string | undefined>
    readonly clusterDns: Setting<readonly string[]>
    readonly clusterDomain: Setting<string | undefined>
    readonly podManifestPath: Setting<string | undefined>
    readonly allowedUnsafeSysctls: Setting<readonly string[]>
    readonly stopPodsOnExit: Setting<boolean>
    readonly metricsAddress: Setting<Address | undefined>
    readonly logLevel: Setting<LogLevel>
    readonly logFormat: Setting<LogFormat>
  } = {
  ...joinSettings,
  server: listSetting(
    'where to dial the cloud, tried in turn',
    { placeholder: 'HOST:PORT', allowed: 'a host and a port', parse: parseAddress },
    'what the token said',
  ),
  apiAddress: addressSetting(
    "where this node's own Kubernetes API listens, for kubectl and for clients in pods, also while it is cut off; containers reach it at addresses of the machine only, as with 0.0.0.0:6444",
    '127.0.0.1:6444',
  ),
  address: textSetting(
    'the address that the node and its pods report',
    'IP',
    'the first outside one',
  ),
  clusterDns: listSetting(
    'the name servers of pods whose dnsPolicy is ClusterFirst',
    { placeholder: 'IP', allowed: 'IP addresses', parse: parseIp },
    "none; such pods get the machine's",
  ),
  clusterDomain: textSetting(
    'the domain below which those name servers know services',
    'DOMAIN',
    CLUSTER_DOMAIN,
  ),
  podManifestPath: textSetting(
    'a folder of manifests, YAML or JSON: their pods run whatever the cloud says (static pods)',
    'DIR',
    'none',
  ),
  allowedUnsafeSysctls: listSetting(
    'settings of the kernel that pods may have beside the safe ones',
    { placeholder: 'NAME', allowed: 'names, or beginnings of names with *', parse: parseSysctl },
    'none',
  ),
  stopPodsOnExit: switchSetting(
    'stop the pods when edgecore stops; else they go on running',
    false,
  ),
  ...runtimeSettings,
  ...kubeletSettings,
  ...evictionSettings,
  ...auditSettings,
  metricsAddress: metricsAddressSetting,
  ...logSettings,
}

export type EdgeSettings = Values<typeof edgeSettings>
