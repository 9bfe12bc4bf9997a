import { type Setting, textSetting } from '../shared/settings.ts'

const PATH = 'kubelet'
/** Where kubelets serve their API. */
const PORT = 10_250
const PORT_MAX = 65_535

/** What says how a kubelet runs the pods of a node, where `--runtime kubelet` says that one does. */
export const kubeletSettings: {
  readonly kubeletPath: Setting<string>
  readonly kubeletConfig: Setting<string | undefined>
  readonly kubeletPort: Setting<number>
} = {
  kubeletPath: {
    help: 'the kubelet of --runtime kubelet',
    placeholder: 'PATH',
    allowed: 'a program',
    shown: PATH,
    fallback: () => PATH,
    parse: (text) => (text === '' ? undefined : text),
  },
  kubeletConfig: textSetting(
    'a KubeletConfiguration, YAML: what it says counts instead of what edgecore tells the kubelet',
    'FILE',
  ),
  kubeletPort: {
    help: 'where that kubelet serves its own API, on 127.0.0.1',
    placeholder: 'PORT',
    allowed: `a port, 1 to ${PORT_MAX}`,
    shown: String(PORT),
    fallback: () => PORT,
    parse: (text) => {
      const port = /^\d+$/.test(text) ? Number(text) : 0
      return port >= 1 && port <= PORT_MAX ? port : undefined
    },
  },
}
