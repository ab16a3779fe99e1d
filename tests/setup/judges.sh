# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# What judges the account's server from outside, from PyPI, in a private virtual environment: schemathesis tries what
# the OpenAPI document allows and forbids, http-message-signatures reads what devices sign, aiosmtpd takes mails, serles
# gives certificates by ACME. From Debian: curl, which speaks HTTP/2, and systemd, which reads the service's unit.

# prepare_judges: names the Python that has them in LASTKEY_JUDGES, if they can be had.
prepare_judges() {
  packages python3-venv curl systemd || true
  if python_judges; then
    export LASTKEY_JUDGES=$KEPT/judges/bin/python3
  else
    missing "schemathesis, http-message-signatures, aiosmtpd and serles" "apt-get install python3-venv, and PyPI in reach"
  fi
}

python_judges() {
  local list=tests/setup/judges.txt
  cmp -s "$list" "$KEPT/judges/installed.txt" && return 0
  rm -rf "$KEPT/judges"
  /usr/bin/python3 -m venv "$KEPT/judges" >"$RUN/venv.log" 2>&1 || return 1
  "$KEPT/judges/bin/pip" install --quiet --disable-pip-version-check --requirement "$list" || return 1
  cp "$list" "$KEPT/judges/installed.txt"
}
