import { looks, renderScript } from "./script.ts";

export interface AutolockArgs {
  /** Name that stands in refusals. */
  readonly host: string;
  /** What managers keep is encrypted with a key that none of them has on its disk. */
  readonly autolock: boolean;
}

/**
 * Whether managers lock what they keep, the swarm's own keys and every secret of it: on a manager, for all of them.
 * The key that opens it is printed by Docker at such a change, and goes nowhere.
 *
 * @see https://docs.docker.com/engine/swarm/swarm_manager_locking/
 */
export function renderAutolock({ host, autolock }: AutolockArgs): string {
  const now = autolock ? "lock what they keep" : "no longer lock what they keep";
  return renderScript({
    host,
    concern: "autolock",
    body: `
${looks}

main() {
  found=$(docker info --format '{{.Swarm.LocalNodeState}} {{with .Swarm.Cluster}}{{.Spec.EncryptionConfig.AutoLockManagers}}{{end}}')
  case "$found" in
    'active ${autolock}') echo 'unchanged: autolock' ;;
    'active ${!autolock}')
      differs 'autolock is ${!autolock}, not ${autolock}' || {
        # What this prints is the key.
        docker swarm update --autolock=${autolock} >/dev/null
        echo 'changed: managers ${now}'
      }
      ;;
    locked*)
      differs 'is locked since its restart' || refuse 'is locked since its restart; run npm run berth -- unlock' ;;
    *) echo 'unchanged: no manager' ;;
  esac
}
`,
  });
}
