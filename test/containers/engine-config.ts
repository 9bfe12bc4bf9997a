import { join } from 'node:path'
import type { EnginePlace } from './place.ts'

/** Without rules of its own in the tables of the machine: ports are led in by its own proxy. */
export function dockerConfig({ folder, socket, bridge, cgroupRoot }: EnginePlace): string {
  return JSON.stringify({
    'data-root': join(folder, 'data'),
    'exec-root': join(folder, 'exec'),
    pidfile: join(folder, 'docker.pid'),
    hosts: [`unix://${socket}`],
    bridge,
    iptables: false,
    ip6tables: false,
    'ip-masq': false,
    'ip-forward': false,
    'userland-proxy': true,
    'storage-driver': 'overlay2',
    'exec-opts': ['native.cgroupdriver=cgroupfs'],
    // For machines whose root may not lower the score of a process.
    'oom-score-adjust': 0,
    'live-restore': true,
    'cgroup-parent': `/${cgroupRoot}`,
    'shutdown-timeout': 1,
  })
}

/** The files of a podman that touches nothing of another one, by name. */
export function podmanConfig({ folder, bridge }: EnginePlace): Readonly<Record<string, string>> {
  return {
    'containers.conf': `[containers]
default_ulimits = []
cgroupns = "private"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "${join(folder, 'tmp')}"
static_dir = "${join(folder, 'root', 'libpod')}"
volume_path = "${join(folder, 'volumes')}"
[network]
network_backend = "cni"
cni_plugin_dirs = ["/usr/lib/cni"]
network_config_dir = "${join(folder, 'cni')}"
default_network = "${bridge}"
`,
    'storage.conf': `[storage]
driver = "overlay"
graphroot = "${join(folder, 'root')}"
runroot = "${join(folder, 'run')}"
`,
    'registries.conf': `[[registry]]
location = "127.0.0.1"
insecure = true
`,
  }
}
