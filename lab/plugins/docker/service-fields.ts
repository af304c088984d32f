import type { ServiceArgs, types } from "@pulumi/docker";
import { duration, notNegative, oneOf, ratio } from "./check.ts";
import { block, blockSet, blocks, flag, required, text, textMap, texts, whole } from "./fields.ts";
import type { FieldsOf } from "./fields.ts";
import { labelFields, replacingLabelFields } from "./labels.ts";

/*
 * `docker.Service`, property by property. Where a trait looks odd it is the provider's: `computed` on a block means
 * that leaving it out keeps what runs, and labels of the container replace the service while its own do not.
 */

const auth = {
  serverAddress: required(text({ replaces: true })),
  username: text({ replaces: true }),
  password: text({ replaces: true }),
} satisfies FieldsOf<types.input.ServiceAuth>;

const healthcheck = {
  tests: texts(),
  interval: text({ default: "0s", check: duration }),
  timeout: text({ default: "0s", check: duration }),
  startPeriod: text({ default: "0s", check: duration }),
  retries: whole({ default: 0, check: notNegative }),
} satisfies FieldsOf<types.input.ServiceTaskSpecContainerSpecHealthcheck>;

const secret = {
  secretId: required(text()),
  secretName: text(),
  fileName: required(text()),
  fileUid: text({ default: "0" }),
  fileGid: text({ default: "0" }),
  fileMode: whole({ default: 0o444, check: notNegative }),
} satisfies FieldsOf<types.input.ServiceTaskSpecContainerSpecSecret>;

const config = {
  configId: required(text()),
  configName: text(),
  fileName: required(text()),
  fileUid: text({ default: "0" }),
  fileGid: text({ default: "0" }),
  fileMode: whole({ default: 0o444, check: notNegative }),
} satisfies FieldsOf<types.input.ServiceTaskSpecContainerSpecConfig>;

const bindOptions = {
  propagation: text({
    default: "rprivate",
    check: oneOf("private", "rprivate", "shared", "rshared", "slave", "rslave"),
  }),
} satisfies FieldsOf<types.input.ServiceTaskSpecContainerSpecMountBindOptions>;

const volumeOptions = {
  noCopy: flag(),
  labels: blockSet(
    replacingLabelFields satisfies FieldsOf<types.input.ServiceTaskSpecContainerSpecMountVolumeOptionsLabel>,
  ),
  driverName: text(),
  driverOptions: textMap(),
} satisfies FieldsOf<types.input.ServiceTaskSpecContainerSpecMountVolumeOptions>;

const tmpfsOptions = {
  sizeBytes: whole(),
  mode: whole(),
} satisfies FieldsOf<types.input.ServiceTaskSpecContainerSpecMountTmpfsOptions>;

const mount = {
  target: required(text()),
  source: text(),
  type: required(text({ check: oneOf("bind", "volume", "tmpfs") })),
  readOnly: flag(),
  bindOptions: block(bindOptions),
  volumeOptions: block(volumeOptions),
  tmpfsOptions: block(tmpfsOptions),
} satisfies FieldsOf<types.input.ServiceTaskSpecContainerSpecMount>;

const credentialSpec = {
  file: text(),
  registry: text(),
} satisfies FieldsOf<types.input.ServiceTaskSpecContainerSpecPrivilegesCredentialSpec>;

const seLinuxContext = {
  disable: flag(),
  user: text(),
  role: text(),
  type: text(),
  level: text(),
} satisfies FieldsOf<types.input.ServiceTaskSpecContainerSpecPrivilegesSeLinuxContext>;

const privileges = {
  credentialSpec: block(credentialSpec, { notEmpty: true }),
  seLinuxContext: block(seLinuxContext, { notEmpty: true }),
} satisfies FieldsOf<types.input.ServiceTaskSpecContainerSpecPrivileges>;

const host = {
  host: required(text({ replaces: true })),
  ip: required(text({ replaces: true })),
} satisfies FieldsOf<types.input.ServiceTaskSpecContainerSpecHost>;

const dnsConfig = {
  nameservers: required(texts()),
  searches: texts(),
  options: texts(),
} satisfies FieldsOf<types.input.ServiceTaskSpecContainerSpecDnsConfig>;

const containerSpec = {
  image: required(text()),
  labels: blockSet(replacingLabelFields satisfies FieldsOf<types.input.ServiceTaskSpecContainerSpecLabel>),
  commands: texts(),
  args: texts(),
  hostname: text(),
  env: textMap(),
  dir: text(),
  user: text(),
  groups: texts(),
  privileges: block(privileges, { notEmpty: true }),
  readOnly: flag(),
  mounts: blockSet(mount),
  stopSignal: text(),
  stopGracePeriod: text({ computed: true, check: duration }),
  healthcheck: block(healthcheck, { computed: true }),
  hosts: blockSet(host, { replaces: true }),
  dnsConfig: block(dnsConfig, { computed: true }),
  secrets: blockSet(secret),
  configs: blockSet(config),
  isolation: text({ default: "default", check: oneOf("default", "process", "hyperv") }),
  sysctl: textMap({ replaces: true }),
  capAdds: texts(),
  capDrops: texts(),
  init: flag({ computed: true }),
} satisfies FieldsOf<types.input.ServiceTaskSpecContainerSpec>;

const limits = {
  nanoCpus: whole(),
  memoryBytes: whole(),
} satisfies FieldsOf<types.input.ServiceTaskSpecResourcesLimits>;

const genericResources = {
  namedResourcesSpecs: texts({ unordered: true }),
  discreteResourcesSpecs: texts({ unordered: true }),
} satisfies FieldsOf<types.input.ServiceTaskSpecResourcesReservationGenericResources>;

const reservation = {
  nanoCpus: whole(),
  memoryBytes: whole(),
  genericResources: block(genericResources, { notEmpty: true }),
} satisfies FieldsOf<types.input.ServiceTaskSpecResourcesReservation>;

const resources = {
  limits: block(limits, { notEmpty: true }),
  reservation: block(reservation, { notEmpty: true }),
} satisfies FieldsOf<types.input.ServiceTaskSpecResources>;

const restartPolicy = {
  condition: text({ check: oneOf("none", "on-failure", "any") }),
  delay: text({ check: duration }),
  maxAttempts: whole({ check: notNegative }),
  window: text({ check: duration }),
} satisfies FieldsOf<types.input.ServiceTaskSpecRestartPolicy>;

const platform = {
  architecture: required(text()),
  os: required(text()),
} satisfies FieldsOf<types.input.ServiceTaskSpecPlacementPlatform>;

const placement = {
  constraints: texts({ unordered: true }),
  prefs: texts({ unordered: true }),
  maxReplicas: whole({ check: notNegative }),
  platforms: blockSet(platform),
} satisfies FieldsOf<types.input.ServiceTaskSpecPlacement>;

const network = {
  // Still accepted, and still a reason to replace on every refresh.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  name: text({ replaces: true }),
  id: text({ replaces: true }),
  aliases: texts({ unordered: true, replaces: true }),
  driverOpts: texts({ unordered: true, replaces: true }),
} satisfies FieldsOf<types.input.ServiceTaskSpecNetworksAdvanced>;

const logDriver = {
  name: required(text()),
  options: textMap(),
} satisfies FieldsOf<types.input.ServiceTaskSpecLogDriver>;

const taskSpec = {
  containerSpec: required(block(containerSpec)),
  resources: block(resources, { computed: true }),
  restartPolicy: block(restartPolicy, { computed: true, notEmpty: true }),
  placement: block(placement, { computed: true }),
  forceUpdate: whole({ computed: true, check: notNegative }),
  runtime: text({ computed: true, check: oneOf("container", "plugin") }),
  networksAdvanceds: blockSet(network),
  logDriver: block(logDriver),
} satisfies FieldsOf<types.input.ServiceTaskSpec>;

const replicated = {
  replicas: whole({ default: 1, check: notNegative }),
} satisfies FieldsOf<types.input.ServiceModeReplicated>;

const mode = {
  replicated: block(replicated, { computed: true }),
  global: flag(),
} satisfies FieldsOf<types.input.ServiceMode>;

const updateConfig = {
  parallelism: whole({ default: 1, check: notNegative }),
  delay: text({ default: "0s", check: duration }),
  failureAction: text({ default: "pause", check: oneOf("pause", "continue", "rollback") }),
  monitor: text({ default: "5s", check: duration }),
  maxFailureRatio: text({ default: "0.0", check: ratio }),
  order: text({ default: "stop-first", check: oneOf("stop-first", "start-first") }),
} satisfies FieldsOf<types.input.ServiceUpdateConfig>;

const rollbackConfig = {
  ...updateConfig,
  failureAction: text({ default: "pause", check: oneOf("pause", "continue") }),
} satisfies FieldsOf<types.input.ServiceRollbackConfig>;

const port = {
  name: text(),
  protocol: text({ default: "tcp", check: oneOf("tcp", "udp", "sctp") }),
  targetPort: required(whole()),
  publishedPort: whole({ computed: true }),
  publishMode: text({ default: "ingress", check: oneOf("host", "ingress") }),
} satisfies FieldsOf<types.input.ServiceEndpointSpecPort>;

const endpointSpec = {
  mode: text({ computed: true, check: oneOf("vip", "dnsrr") }),
  ports: blocks(port),
} satisfies FieldsOf<types.input.ServiceEndpointSpec>;

const convergeConfig = {
  delay: text(),
  timeout: text(),
} satisfies FieldsOf<types.input.ServiceConvergeConfig>;

export const serviceFields = {
  auth: block(auth, { replaces: true }),
  name: text({ replaces: true }),
  labels: blockSet(labelFields satisfies FieldsOf<types.input.ServiceLabel>, { computed: true }),
  taskSpec: required(block(taskSpec)),
  mode: block(mode, { computed: true, replaces: true }),
  updateConfig: block(updateConfig),
  rollbackConfig: block(rollbackConfig),
  endpointSpec: block(endpointSpec, { computed: true }),
  convergeConfig: block(convergeConfig),
} satisfies FieldsOf<ServiceArgs>;
