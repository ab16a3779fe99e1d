# shellcheck shell=bash disable=SC2034,SC2154
# PostgreSQL. Each test makes a cluster of its own (tests/support/postgres.rs); here it only has to be installed.

POSTGRES_PACKAGES="postgresql"

prepare_postgres() {
  # shellcheck disable=SC2086
  have_postgres || packages $POSTGRES_PACKAGES || true
  have_postgres || missing "PostgreSQL 15 or newer" "apt-get install $POSTGRES_PACKAGES"
}

# have_postgres: its programs, which Debian keeps out of PATH
have_postgres() { have initdb postgres psql || compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null; }
