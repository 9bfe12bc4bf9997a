import { join } from 'node:path'
import type { EnginePlace } from './place.ts'

const UNUSED_PLUGINS = [
  'io.containerd.snapshotter.v1.aufs',
  'io.containerd.snapshotter.v1.btrfs',
  'io.containerd.snapshotter.v1.devmapper',
  'io.containerd.snapshotter.v1.zfs',
  'io.containerd.tracing.processor.v1.otlp',
  'io.containerd.internal.v1.tracing',
]

/**
 * The configuration of a containerd that touches nothing of another one.
 *
 * `restrict_oom_score_adj` is for machines whose root may not lower the score of a process.
 */
export function containerdConfig(place: EnginePlace, pauseImage: string): string {
  const { folder, socket } = place
  return `version = 2
root = "${join(folder, 'root')}"
state = "${join(folder, 'state')}"
oom_score = 0
disabled_plugins = [${UNUSED_PLUGINS.map((each) => `"${each}"`).join(', ')}]
[grpc]
  address = "${socket}"
[ttrpc]
  address = "${socket}.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
  path = "${join(folder, 'opt')}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${join(folder, 'cni')}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "runc"
        SystemdCgroup = false
`
}

/** The network of its pods: a bridge with addresses of its own, and ports of the machine that lead in. */
export function networkConfig({ folder, bridge, network }: EnginePlace): string {
  const ranges = [[{ subnet: `${network}.0/24` }]]
  const ipam = {
    type: 'host-local',
    dataDir: join(folder, 'addresses'),
    ranges,
    routes: [{ dst: '0.0.0.0/0' }],
  }
  const own = { type: 'bridge', bridge, isGateway: true, ipMasq: true, hairpinMode: true, ipam }
  const ports = { type: 'portmap', capabilities: { portMappings: true } }
  return JSON.stringify({ cniVersion: '0.4.0', name: bridge, plugins: [own, ports] })
}
