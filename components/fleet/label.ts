/** Node label that carries the name of a host in the stack file. */
export const hostLabel = "berth.host";
