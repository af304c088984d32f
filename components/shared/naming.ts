/** Longest name Docker takes for a service; it is also the longest DNS label. */
export const maxNameLength = 63;

/**
 * Name under which a thing of a system is known outside Pulumi: Docker service, network, volume, host path.
 * Identity, so it never contains a version. Configuration is refused before a name can get too long.
 */
export function physicalName(system: string, thing: string): string {
  const name = `${system}-${thing}`;
  if (name.length > maxNameLength) {
    throw new Error(`name "${name}" has ${name.length} characters, more than ${maxNameLength}`);
  }
  return name;
}
