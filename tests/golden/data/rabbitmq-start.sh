# Managed by berth: rabbitmq
set -eu
umask 077
prepare() {
  set -eu
  trap 'test -e /tmp/prepared || echo "berth: rabbitmq could not be prepared, see above" >&2' EXIT
  until rabbitmqctl --quiet await_startup 2>/dev/null; do sleep 0.2; done
  wanted=' app ops '
  users=$(rabbitmqctl --quiet list_users --no-table-headers | cut -f 1)
  for user in $users; do
    case "$wanted" in
      *" $user "*) ;;
      *) rabbitmqctl --quiet delete_user "$user" ;;
    esac
  done
  : >/tmp/prepared
}
# In a shell whose parent is gone: the server is not to find a child that it does not know.
( (prepare) & )
exec rabbitmq-server "$@"
