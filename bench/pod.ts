/** A pod as a Deployment makes it, 1.8 KB of JSON: the document that the measurements are made with. */
export function samplePod(index: number): Record<string, unknown> {
  const name = `web-${String(index).padStart(4, '0')}-7d9c5bb8c6-x2x9k`
  const labels = { app: 'web', 'pod-template-hash': '7d9c5bb8c6', tier: 'front' }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      labels,
      annotations: { 'example.com/revision': '12', 'example.com/owner': 'team-front' },
      creationTimestamp: '2026-11-22T10:00:00Z',
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: 'web-7d9c5bb8c6',
          uid: '5c3f9f6e-4b8a-4d62-9b0f-1f2a3b4c5d6e',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: {
      nodeName: 'edge-1',
      restartPolicy: 'Always',
      dnsPolicy: 'ClusterFirst',
      schedulerName: 'default-scheduler',
      serviceAccountName: 'default',
      terminationGracePeriodSeconds: 30,
      containers: [container(name)],
      volumes: [
        { name: 'config', configMap: { name: 'web-config', defaultMode: 420 } },
        { name: 'cache', emptyDir: { sizeLimit: '64Mi' } },
      ],
      tolerations: [
        {
          key: 'node.kubernetes.io/not-ready',
          operator: 'Exists',
          effect: 'NoExecute',
          tolerationSeconds: 300,
        },
        {
          key: 'node.kubernetes.io/unreachable',
          operator: 'Exists',
          effect: 'NoExecute',
          tolerationSeconds: 300,
        },
      ],
    },
    status: {
      phase: 'Running',
      podIP: `10.244.1.${index % 250}`,
      hostIP: '192.0.2.10',
      startTime: '2026-11-22T10:00:02Z',
    },
  }
}

function container(pod: string): Record<string, unknown> {
  return {
    name: 'web',
    image: 'registry.example.com/shop/web:1.14.2',
    imagePullPolicy: 'IfNotPresent',
    args: ['--listen=:8080', '--log=json'],
    env: [
      { name: 'POD_NAME', value: pod },
      { name: 'LOG_LEVEL', value: 'info' },
      { name: 'UPSTREAM', value: 'http://backend.default.svc:8080' },
    ],
    ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
    resources: {
      requests: { cpu: '100m', memory: '64Mi' },
      limits: { cpu: '500m', memory: '128Mi' },
    },
    volumeMounts: [
      { name: 'config', mountPath: '/etc/web', readOnly: true },
      { name: 'cache', mountPath: '/var/cache/web' },
    ],
  }
}
