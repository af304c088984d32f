# Managed by berth: postgres
set -eu
umask 077
# The image wants a password for its superuser when it makes the data directory. Nobody is to know it, and it is taken
# away below: the superuser exists for this container's own socket only.
POSTGRES_PASSWORD=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
export POSTGRES_PASSWORD
cat >/run/postgresql/pg_hba.conf <<'END'
local all postgres trust
host all postgres all reject
host all all all scram-sha-256
END
prepare() {
  set -eu
  trap 'test -e /tmp/prepared || echo "berth: postgres could not be prepared, see above" >&2' EXIT
  until pg_isready --quiet --host 127.0.0.1 --username nobody; do sleep 0.2; done
  psql --no-psqlrc --quiet --username postgres --dbname postgres --output /dev/null \
    --set ON_ERROR_STOP=1 --set VERBOSITY=terse <<'END'
SET log_statement = none;
SET log_min_error_statement = panic;
SET log_min_duration_statement = -1;
SET pg_stat_statements.track_utility = off;

SELECT 'CREATE ROLE "owner"' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'owner') \gexec
\set password `cat /run/secrets/OWNER`
ALTER ROLE "owner" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
  CONNECTION LIMIT -1 PASSWORD :'password';
COMMENT ON ROLE "owner" IS 'berth';

SELECT 'CREATE ROLE "app"' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app') \gexec
\set password `cat /run/secrets/APP`
ALTER ROLE "app" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
  CONNECTION LIMIT 20 PASSWORD :'password';
COMMENT ON ROLE "app" IS 'berth';

SELECT 'CREATE ROLE "backup"' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'backup') \gexec
\set password `cat /run/secrets/BACKUP`
ALTER ROLE "backup" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
  CONNECTION LIMIT -1 PASSWORD :'password';
COMMENT ON ROLE "backup" IS 'berth';
SELECT format('ALTER ROLE %I NOLOGIN PASSWORD NULL', rolname)
  FROM pg_roles JOIN pg_shdescription d ON d.objoid = pg_roles.oid AND d.classoid = 'pg_authid'::regclass
  WHERE d.description = 'berth' AND rolname NOT IN ('', 'owner', 'app', 'backup') \gexec
ALTER ROLE postgres PASSWORD NULL;

SELECT 'CREATE DATABASE "crm" OWNER "owner"'
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'crm') \gexec
ALTER DATABASE "crm" OWNER TO "owner";
REVOKE ALL ON DATABASE "crm" FROM PUBLIC;
\connect "crm"
BEGIN;
CREATE EXTENSION IF NOT EXISTS "pg_stat_statements";
CREATE EXTENSION IF NOT EXISTS "citext";
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO "owner";
REVOKE ALL ON DATABASE "crm" FROM "app";
REVOKE ALL ON SCHEMA public FROM "app";
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "app";
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM "app";
ALTER DEFAULT PRIVILEGES FOR ROLE "owner" IN SCHEMA public REVOKE ALL ON TABLES FROM "app";
ALTER DEFAULT PRIVILEGES FOR ROLE "owner" IN SCHEMA public REVOKE ALL ON SEQUENCES FROM "app";
GRANT CONNECT ON DATABASE "crm" TO "app";
GRANT USAGE ON SCHEMA public TO "app";
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "app";
GRANT SELECT, USAGE ON ALL SEQUENCES IN SCHEMA public TO "app";
ALTER DEFAULT PRIVILEGES FOR ROLE "owner" IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO "app";
ALTER DEFAULT PRIVILEGES FOR ROLE "owner" IN SCHEMA public GRANT SELECT, USAGE ON SEQUENCES TO "app";
REVOKE ALL ON DATABASE "crm" FROM "backup";
REVOKE ALL ON SCHEMA public FROM "backup";
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "backup";
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM "backup";
ALTER DEFAULT PRIVILEGES FOR ROLE "owner" IN SCHEMA public REVOKE ALL ON TABLES FROM "backup";
ALTER DEFAULT PRIVILEGES FOR ROLE "owner" IN SCHEMA public REVOKE ALL ON SEQUENCES FROM "backup";
GRANT CONNECT ON DATABASE "crm" TO "backup";
GRANT USAGE ON SCHEMA public TO "backup";
GRANT SELECT ON ALL TABLES IN SCHEMA public TO "backup";
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO "backup";
ALTER DEFAULT PRIVILEGES FOR ROLE "owner" IN SCHEMA public GRANT SELECT ON TABLES TO "backup";
ALTER DEFAULT PRIVILEGES FOR ROLE "owner" IN SCHEMA public GRANT SELECT ON SEQUENCES TO "backup";
COMMIT;

SELECT 'CREATE DATABASE "audit" OWNER "app"'
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'audit') \gexec
ALTER DATABASE "audit" OWNER TO "app";
REVOKE ALL ON DATABASE "audit" FROM PUBLIC;
\connect "audit"
BEGIN;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO "app";
REVOKE ALL ON DATABASE "audit" FROM "owner";
REVOKE ALL ON SCHEMA public FROM "owner";
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "owner";
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM "owner";
ALTER DEFAULT PRIVILEGES FOR ROLE "app" IN SCHEMA public REVOKE ALL ON TABLES FROM "owner";
ALTER DEFAULT PRIVILEGES FOR ROLE "app" IN SCHEMA public REVOKE ALL ON SEQUENCES FROM "owner";
REVOKE ALL ON DATABASE "audit" FROM "backup";
REVOKE ALL ON SCHEMA public FROM "backup";
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "backup";
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM "backup";
ALTER DEFAULT PRIVILEGES FOR ROLE "app" IN SCHEMA public REVOKE ALL ON TABLES FROM "backup";
ALTER DEFAULT PRIVILEGES FOR ROLE "app" IN SCHEMA public REVOKE ALL ON SEQUENCES FROM "backup";
COMMIT;
END
  : >/tmp/prepared
}
# In a shell whose parent is gone: the server is not to find a child that it does not know.
( (prepare) & )
exec docker-entrypoint.sh postgres -c hba_file=/run/postgresql/pg_hba.conf -c "listen_addresses=*" "$@"
