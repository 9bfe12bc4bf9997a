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
  type Values,
} from '../shared/settings.ts'

/** What the environment variables of cloudcore start with. */
export const CLOUD_ENV = 'TIDEWAY_CLOUDCORE_'

/** Where the cloud's log, keys and kubeconfig are. Every command takes it. */
export const cloudDirectory: Setting<string> = directorySetting(
  'where everything of the cloud is kept, readable by its user only',
  () => stateDirectory('cloudcore'),
  '$XDG_STATE_HOME/tideway/cloudcore, with ~/.local/state for XDG_STATE_HOME',
)

/** Every setting of cloudcore. */
export const cloudSettings: typeof auditSettings & {
  readonly data: Setting<string>
  readonly apiAddress: Setting<Address>
  readonly syncAddress: Setting<Address>
  readonly advertise: Setting<readonly Address[]>
  readonly apiNames: Setting<readonly string[]>
  readonly fleet: Setting<string | undefined>
  readonly scheduler: Setting<boolean>
  readonly controllers: Setting<boolean>
  readonly metricsAddress: Setting<Address | undefined>
  readonly logLevel: Setting<LogLevel>
  readonly logFormat: Setting<LogFormat>
} = {
  data: cloudDirectory,
  apiAddress: addressSetting('where the Kubernetes API listens, for kubectl', '127.0.0.1:6443'),
  syncAddress: addressSetting(
    'where edges connect; the default can be reached from this machine only, so give 0.0.0.0:10000 to let others in',
    '127.0.0.1:10000',
  ),
  advertise: listSetting(
    'where edges are told to dial, written into join tokens',
    { placeholder: 'HOST:PORT', allowed: 'a host and a port', parse: parseAddress },
    'that of --sync-address, or those of the network interfaces when it is 0.0.0.0',
  ),
  apiNames: listSetting(
    'further names and addresses by which kubectl reaches the API, for its certificate',
    { placeholder: 'NAME', allowed: 'a host name or address', parse: hostName },
    'none',
  ),
  fleet: labelSetting(
    'the name of the fleet, part of the identity of every object; it cannot change later',
    'made up at the first start',
  ),
  scheduler: switchSetting(
    'bind pods that name no node to one, while no kube-scheduler holds its lease',
    true,
  ),
  controllers: switchSetting(
    'keep replica sets, empty namespaces, collect garbage and let go of unused volumes, while no kube-controller-manager holds its lease',
    true,
  ),
  ...auditSettings,
  metricsAddress: metricsAddressSetting,
  ...logSettings,
}

export type CloudSettings = Values<typeof cloudSettings>

function hostName(text: string): string | undefined {
  return /^[A-Za-z0-9._:-]{1,253}$/.test(text) ? text : undefined
}
