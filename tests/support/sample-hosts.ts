import { sampleHostKey } from "./sample-config.ts";

/* Hosts that nothing is wrong with. */

export const host = { name: "vm-1", address: "198.18.0.1", hostKey: sampleHostKey, labels: { edge: "true" } };
/** Two that form a swarm. */
export const one = { ...host, privateAddress: "10.0.0.1" };
export const two = {
  name: "vm-2",
  address: "vm-2",
  hostKey: sampleHostKey,
  privateAddress: "10.0.0.2",
  role: "worker",
};
