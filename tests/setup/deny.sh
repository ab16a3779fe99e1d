# shellcheck shell=bash disable=SC2154
# Known flaws (RustSec advisories) need their database, which lives on GitHub. Not every machine reaches it,
# so this is the one check whose missing piece is only mentioned, even under CI.

ADVISORIES=https://github.com/rustsec/advisory-db

check_advisories() {
  if have git && timeout 20 git ls-remote --exit-code "$ADVISORIES" HEAD >/dev/null 2>&1; then
    cargo deny --locked check advisories
  elif [ -d "${CARGO_HOME:-$HOME/.cargo}/advisory-dbs" ]; then
    cargo deny --locked --offline check advisories
  else
    note "deny: $ADVISORIES cannot be reached, so known flaws in dependencies were not looked up"
  fi
}
