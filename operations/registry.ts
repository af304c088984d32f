import { answeringManager } from "../components/fleet/manager.ts";
import { parseImageRef } from "../components/shared/image-ref.ts";
import { DockerError, dockerThroughSsh, ensureSshFiles, hostsOf } from "./hosts.ts";
import { isRecord } from "./stack-file.ts";
import { OperatorError, type OpenRegistry } from "./verb.ts";

/**
 * Asks the registry through the Docker of the stack's manager: the machine that will pull, with its own name
 * resolution, CA and network. Nothing is downloaded but the manifest.
 */
export const registryThroughManager: OpenRegistry = async (ref, file) => {
  const hosts = await hostsOf(file);
  await ensureSshFiles(ref, file, hosts);
  const docker = dockerThroughSsh(ref, await answeringManager({ stack: ref.stack, hosts }, ref.root));
  // The way there is opened while the caller still reads the state; what fails here, fails again where it is asked for.
  docker.get("/_ping").catch(() => undefined);
  return {
    digest: async (image) => digestThrough(docker.get, image),
    close: () => {
      docker.close();
    },
  };
};

export async function digestThrough(
  get: (path: string) => Promise<unknown>,
  image: string,
): Promise<string | undefined> {
  let answer: unknown;
  try {
    answer = await get(`/distribution/${image}/json`);
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    if (error.status !== undefined && isAbsence(error)) return undefined;
    const { repository } = parseImageRef(image);
    const cure = "nothing was changed; check that the host and the registry answer, then try again";
    throw new OperatorError(
      `${repository}: the swarm manager cannot look it up at its registry: ${error.message}; ${cure}`,
    );
  }
  const descriptor = isRecord(answer) ? answer["Descriptor"] : undefined;
  const digest = isRecord(descriptor) ? descriptor["digest"] : undefined;
  if (typeof digest !== "string") throw new Error(`${image}: Docker answered without a digest`);
  return digest;
}

/** Registries word it differently; Docker passes the words on, as 404 or, in old versions, with other statuses. */
function isAbsence({ status, message }: DockerError): boolean {
  return status === 404 || /manifest unknown|name unknown|not found|repository name not known/i.test(message);
}
