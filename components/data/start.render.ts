/** There once a server is as the system wants it; in memory, so that each start of a container begins without it. */
export const preparedFile = "/tmp/prepared";

export interface Start {
  /** What is started, in one word; stands in the log. */
  readonly server: string;
  /** Shell lines before the server starts. */
  readonly before?: string;
  /** Shell condition that holds as soon as the server takes orders. */
  readonly answers: string;
  /** Shell lines that bring the running server to what the system says; safe to run again at every start. */
  readonly prepare: string;
  /** Command that becomes the server; the container's arguments follow it. */
  readonly run: string;
}

/**
 * The entrypoint of a server that is given its users and databases while it runs, from inside of its container: a
 * rotated password needs no other one, and nobody has administrator's rights over the network. Until that is done the
 * container is not healthy; if it cannot be done, the log says why and the container never becomes healthy.
 */
export function renderStart({ server, before, answers, prepare, run }: Start): string {
  return `# Managed by berth: ${server}
set -eu
umask 077
${before === undefined ? "" : `${before.trim()}\n`}prepare() {
  set -eu
  trap 'test -e ${preparedFile} || echo "berth: ${server} could not be prepared, see above" >&2' EXIT
  until ${answers}; do sleep 0.2; done
${prepare.replace(/^\n/, "").trimEnd()}
  : >${preparedFile}
}
# In a shell whose parent is gone: the server is not to find a child that it does not know.
( (prepare) & )
exec ${run} "$@"
`;
}
