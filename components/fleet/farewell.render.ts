import { renderHere, type HereScript } from "./here.ts";

/**
 * What is to be taken away from a host when the thing that it belongs to goes. A host that is lost cannot do it, and
 * need not: then it must have been taken out of the stack file.
 */
export function renderFarewell(stack: string, host: HereScript["host"], command: string): string {
  return renderHere({
    stack,
    host,
    concern: "removal",
    body: `
leave() {
  status=0
  on_host 'sh -s' <<'BERTH_SCRIPT' || status=$?
set -eu
${command}
BERTH_SCRIPT
  [ "$status" -ne 0 ] || return 0
  if [ "$status" -eq 255 ] && ! listed | grep -qx "$host"; then
    echo 'does not answer and is no longer in the stack file: left as it is'
    return 0
  fi
  refuse 'what runs there could not be taken away; start it, or take it out of the stack file if it is lost'
}
`,
  });
}
