/** A small object that every version of Kubernetes' API server accepts, for each resource id. */
export const KIND_SAMPLES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  configmaps: { data: { a: '1' }, binaryData: { b: 'AAEC' } },
  endpoints: { subsets: [{ addresses: [{ ip: '10.1.2.3' }], ports: [{ port: 80 }] }] },
  events: {
    involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' },
    reason: 'Tested',
    message: 'a message',
    type: 'Normal',
    count: 2,
    firstTimestamp: '2026-01-02T03:04:05Z',
    lastTimestamp: '2026-01-02T03:04:06Z',
    source: { component: 'test' },
  },
  limitranges: { spec: { limits: [{ type: 'Container', default: { cpu: '500m' } }] } },
  namespaces: {},
  nodes: { spec: { podCIDR: '10.1.0.0/24', podCIDRs: ['10.1.0.0/24'] } },
  persistentvolumeclaims: {
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  },
  persistentvolumes: {
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      hostPath: { path: '/tmp/volume' },
    },
  },
  pods: {
    spec: {
      containers: [
        {
          name: 'c',
          image: 'i',
          env: [{ name: 'A', value: 'b' }],
          ports: [{ containerPort: 80 }],
          resources: { requests: { cpu: '100m', memory: '1Mi' } },
          readinessProbe: { httpGet: { path: '/', port: 'http' } },
        },
      ],
      volumes: [{ name: 'v', configMap: { name: 'x', defaultMode: 420 } }],
    },
  },
  podtemplates: {
    template: {
      metadata: { labels: { a: 'b' } },
      spec: { containers: [{ name: 'c', image: 'i' }] },
    },
  },
  replicationcontrollers: workload({ replicas: 1, selector: { a: 'b' } }),
  resourcequotas: { spec: { hard: { pods: '10' } } },
  secrets: { type: 'Opaque', data: { a: 'Yg==' } },
  serviceaccounts: { imagePullSecrets: [{ name: 's' }] },
  services: { spec: { ports: [{ port: 80, targetPort: 'http' }], selector: { a: 'b' } } },
  'controllerrevisions.apps': { revision: 3, data: { spec: { a: 1 } } },
  'daemonsets.apps': workload({ selector: { matchLabels: { a: 'b' } } }),
  'deployments.apps': workload({ replicas: 2, selector: { matchLabels: { a: 'b' } } }),
  'replicasets.apps': workload({ replicas: 2, selector: { matchLabels: { a: 'b' } } }),
  'statefulsets.apps': workload({ serviceName: 's', selector: { matchLabels: { a: 'b' } } }),
  'horizontalpodautoscalers.autoscaling': {
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' },
      minReplicas: 1,
      maxReplicas: 3,
      metrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
        },
      ],
    },
  },
  'cronjobs.batch': { spec: { schedule: '*/5 * * * *', jobTemplate: { spec: job() } } },
  'jobs.batch': { spec: job() },
  'ingressclasses.networking.k8s.io': { spec: { controller: 'example.com/c' } },
  'ingresses.networking.k8s.io': {
    spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } } },
  },
  'ipaddresses.networking.k8s.io': {
    spec: { parentRef: { resource: 'services', namespace: 'default', name: 's' } },
  },
  'networkpolicies.networking.k8s.io': {
    spec: {
      podSelector: { matchLabels: { a: 'b' } },
      ingress: [{ ports: [{ port: 80, protocol: 'TCP' }] }],
      policyTypes: ['Ingress'],
    },
  },
  'servicecidrs.networking.k8s.io': { spec: { cidrs: ['10.9.0.0/24'] } },
  'poddisruptionbudgets.policy': {
    spec: { minAvailable: '50%', selector: { matchLabels: { a: 'b' } } },
  },
  'clusterrolebindings.rbac.authorization.k8s.io': binding('ClusterRole'),
  'clusterroles.rbac.authorization.k8s.io': {
    rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
  },
  'rolebindings.rbac.authorization.k8s.io': binding('Role'),
  'roles.rbac.authorization.k8s.io': {
    rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
  },
  'csidrivers.storage.k8s.io': { spec: { attachRequired: false } },
  'csinodes.storage.k8s.io': {
    spec: { drivers: [{ name: 'd', nodeID: 'n', topologyKeys: ['zone'] }] },
  },
  'csistoragecapacities.storage.k8s.io': { storageClassName: 'fast', capacity: '1Gi' },
  'storageclasses.storage.k8s.io': { provisioner: 'example.com/p', parameters: { a: 'b' } },
  'volumeattachments.storage.k8s.io': {
    spec: { attacher: 'd', nodeName: 'n', source: { persistentVolumeName: 'v' } },
  },
  'volumeattributesclasses.storage.k8s.io': { driverName: 'd', parameters: { a: 'b' } },
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': webhooks(),
  'validatingadmissionpolicies.admissionregistration.k8s.io': policy({
    validations: [{ expression: 'true', message: 'm', reason: 'Forbidden' }],
    auditAnnotations: [{ key: 'k', valueExpression: "'v'" }],
  }),
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': {
    spec: {
      policyName: 'none',
      paramRef: { name: 'p', parameterNotFoundAction: 'Allow' },
      validationActions: ['Audit', 'Deny'],
    },
  },
  'validatingwebhookconfigurations.admissionregistration.k8s.io': webhooks(),
  'customresourcedefinitions.apiextensions.k8s.io': {
    spec: {
      group: 'example.com',
      names: { kind: 'Thing', plural: 'things', singular: 'thing', listKind: 'ThingList' },
      scope: 'Namespaced',
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                spec: {
                  type: 'object',
                  properties: {
                    size: { type: 'integer', default: 3, enum: [3, 4] },
                    ratio: { type: 'number', minimum: 0.5, maximum: 9.25 },
                    labels: { type: 'object', additionalProperties: { type: 'string' } },
                    names: { type: 'array', items: { type: 'string' } },
                  },
                },
              },
            },
          },
        },
      ],
    },
  },
  'priorityclasses.scheduling.k8s.io': { value: 100, description: 'some' },
  'leases.coordination.k8s.io': {
    spec: {
      holderIdentity: 'me',
      leaseDurationSeconds: 15,
      renewTime: '2026-01-02T03:04:05.000006Z',
    },
  },
  'runtimeclasses.node.k8s.io': { handler: 'runc' },
  'endpointslices.discovery.k8s.io': {
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.1.2.3'], conditions: { ready: true } }],
    ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
  },
  'deviceclasses.resource.k8s.io': {
    spec: { selectors: [{ cel: { expression: 'device.driver == "d"' } }] },
  },
  'resourceclaims.resource.k8s.io': { spec: claim() },
  'resourceclaimtemplates.resource.k8s.io': { spec: { spec: claim() } },
  'resourceslices.resource.k8s.io': {
    spec: {
      driver: 'd.example.com',
      nodeName: 'n',
      pool: { name: 'n', generation: 1, resourceSliceCount: 1 },
      devices: [{ name: 'gpu-0' }],
    },
  },
}

/** The name of a sample, where the kind does not take any name. */
export const SAMPLE_NAMES: Readonly<Record<string, string>> = {
  'customresourcedefinitions.apiextensions.k8s.io': 'things.example.com',
  'ipaddresses.networking.k8s.io': '10.0.0.77',
}

function workload(spec: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const template = {
    metadata: { labels: { a: 'b' } },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  }
  return { spec: { ...spec, template } }
}

function job(): Readonly<Record<string, unknown>> {
  const template = { spec: { containers: [{ name: 'c', image: 'i' }], restartPolicy: 'Never' } }
  return { template }
}

/** One webhook, for a group that nothing is in. */
function policy(more: object): Readonly<Record<string, unknown>> {
  const rule = {
    apiGroups: ['example.com'],
    apiVersions: ['v1'],
    operations: ['CREATE'],
    resources: ['nothings'],
    resourceNames: ['n'],
  }
  return {
    spec: {
      paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
      matchConstraints: { resourceRules: [rule] },
      matchConditions: [{ name: 'c', expression: 'true' }],
      variables: [{ name: 'v', expression: '1' }],
      ...more,
    },
  }
}

function webhooks(): Readonly<Record<string, unknown>> {
  const everything = { apiVersions: ['v1'], resources: ['things'], operations: ['CREATE'] }
  return {
    webhooks: [
      {
        name: 'things.example.com',
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        clientConfig: { service: { namespace: 'default', name: 'hooks' } },
        rules: [{ apiGroups: ['nothing.example.com'], ...everything }],
      },
    ],
  }
}

function binding(kind: string): Readonly<Record<string, unknown>> {
  return {
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'u' }],
    roleRef: { kind, apiGroup: 'rbac.authorization.k8s.io', name: 'r' },
  }
}

function claim(): Readonly<Record<string, unknown>> {
  const exactly = { deviceClassName: 'c', allocationMode: 'ExactCount', count: 1 }
  return { devices: { requests: [{ name: 'r', exactly }] } }
}
