import Docker from "dockerode";
import { ensureContainer, execIn, objectName } from "../../lab/docker.ts";
import { labImages } from "../../lab/images.ts";
import type { Lab } from "../../lab/settings.ts";

/** The last number of its addresses on the lab's network; hosts and parts have others. */
const own = 250;

/** A port that answered a scan, and how: `open` somebody listens, `closed` nobody does and the firewall let it pass. */
export type Ports = Readonly<Record<number, "open" | "closed">>;

/** A machine on a lab's network that belongs to nobody: what it sees of the hosts is what any neighbour sees. */
export class Scanner {
  readonly #container: Docker.Container;

  constructor(container: Docker.Container) {
    this.#container = container;
  }

  /** @param prefix The first three numbers of the lab's network. */
  static async start(lab: Lab, root: string, prefix: string): Promise<Scanner> {
    const docker = new Docker();
    const { container } = await ensureContainer(docker, lab, {
      part: "scanner",
      image: labImages(root, []).base.tag,
      command: ["sleep", "infinity"],
      address: `${prefix}.${own}`,
      hostConfig: {
        CapAdd: ["NET_ADMIN", "NET_RAW"],
        Sysctls: { "net.ipv6.conf.all.disable_ipv6": "0" },
      },
    });
    const scanner = new Scanner(container);
    await scanner.run(
      "sh",
      "-c",
      "apt-get update && apt-get install -y --no-install-recommends nmap ssh-audit iproute2",
    );
    await scanner.run("ip", "-6", "address", "add", `${ula(own)}/64`, "dev", "eth0", "nodad");
    return scanner;
  }

  /** Its own address on IPv6. */
  readonly address6 = ula(own);

  /** Its own address on the network of a neighbour. */
  address(neighbour: string): string {
    return neighbour.replace(/\d+$/, String(own));
  }

  async remove(): Promise<void> {
    await this.#container.remove({ force: true, v: true });
  }

  /** A datagram to each of these ports, sent twice at most; whether anybody takes them shows on the host. */
  async sendUdp(address: string, ports: readonly number[]): Promise<void> {
    const family = address.includes(":") ? ["-6"] : [];
    await this.run("nmap", ...family, "-Pn", "-n", "-sU", "--max-retries", "1", "-p", ports.join(","), address);
  }

  /** What the command printed on both outputs. */
  async run(...argv: string[]): Promise<string> {
    return execIn(this.#container, argv);
  }

  /** TCP ports of an address, IPv4 or IPv6, all of them by default. A port that stays silent is not listed. */
  async ports(address: string, only?: readonly number[]): Promise<Ports> {
    const family = address.includes(":") ? ["-6"] : [];
    // The network loses nothing, so one retry is one too many for ports that are silent on purpose.
    const pace = ["-T4", "--min-rate", "4000", "--max-retries", "1"];
    const said = await this.run(
      "nmap",
      ...family,
      "-Pn",
      "-n",
      "-sS",
      `-p${only?.join(",") ?? "-"}`,
      ...pace,
      "-oG",
      "-",
      address,
    );
    return openPorts(said);
  }

  /** What ssh-audit finds wrong with the SSH server, one line each; nothing when it has no failure to report. */
  async sshFailures(address: string): Promise<string[]> {
    // Its exit code counts warnings too.
    const said = await this.run("sh", "-c", `ssh-audit --no-colors --level fail ${address}:22 || [ $? -ge 2 ]`);
    if (!/^\(gen\) banner: SSH-2\.0-/m.test(await this.banner(address))) throw new Error(`no SSH server: ${said}`);
    return said.split("\n").filter((line) => line.includes("[fail]"));
  }

  private async banner(address: string): Promise<string> {
    return this.run("sh", "-c", `ssh-audit --no-colors ${address}:22 || [ $? -ge 2 ]`);
  }
}

/** Gives a lab host an IPv6 address beside its own, on the network on which the scanner has one. */
export async function addIpv6(lab: Pick<Lab, "name">, host: string, number: number): Promise<string> {
  const container = new Docker().getContainer(objectName(lab, host));
  const address = ula(number);
  const script = `sysctl --quiet --write net.ipv6.conf.eth0.disable_ipv6=0; ip -6 address add ${address}/64 dev eth0 nodad`;
  await execIn(container, ["sh", "-c", script]);
  return address;
}

const ula = (number: number): string => `fd42:6265:7274:68::${number}`;

/** Reads nmap's grepable output; ports that stayed silent stand in its count of ignored ones alone. */
export function openPorts(grepable: string): Ports {
  const list = /\tPorts: ([^\t\n]*)/.exec(grepable)?.[1] ?? "";
  const entries = list.split(", ").flatMap((entry): [number, "open" | "closed"][] => {
    const [port, state] = entry.split("/");
    return state === "open" || state === "closed" ? [[Number(port), state]] : [];
  });
  return Object.fromEntries(entries);
}
