# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# A real Active Directory domain controller (Samba), new for every run, on an address of the loopback that
# nothing else uses. It ends when the stage's shell does: Samba stops when its standard input closes.

DIRECTORY_PACKAGES="samba samba-ad-dc samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind
  python3-samba openssl"
DIRECTORY_ADDRESS=127.77.3.6

# prepare_directory: starts it and names its folder in LASTKEY_DIRECTORY, if it can be had.
prepare_directory() {
  if [ "$(id -u)" -ne 0 ]; then
    missing "an Active Directory server, which needs root" "run it as root"
    return 0
  fi
  # shellcheck disable=SC2086
  packages $DIRECTORY_PACKAGES || have samba samba-tool openssl || {
    missing "an Active Directory server" "apt-get install $(tr -s ' \n' ' ' <<<"$DIRECTORY_PACKAGES")"
    return 0
  }
  DIRECTORY=$RUN/directory
  mkdir "$DIRECTORY" "$DIRECTORY/dc"
  directory_certificates
  directory_provision
  directory_accounts
  directory_start
  export LASTKEY_DIRECTORY=$DIRECTORY
}

# An authority, its certificate for the server, and another authority that has nothing to do with it.
directory_certificates() {
  (
    cd "$DIRECTORY"
    for name in ca other-ca; do
      openssl req -x509 -newkey rsa:2048 -noenc -days 2 -subj "/CN=lastkey test $name" -keyout "$name.key" -out "$name.pem"
    done
    openssl req -newkey rsa:2048 -noenc -subj "/CN=dc1.lastkey.test" -keyout server.key -out server.csr
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days 2 -out server.pem \
      -extfile <(echo "subjectAltName=DNS:localhost,DNS:dc1.lastkey.test,IP:$DIRECTORY_ADDRESS")
    openssl x509 -in ca.pem -outform DER -out ca.cer
  ) >"$RUN/openssl.log" 2>&1 || { cat "$RUN/openssl.log"; fail "the directory's certificates could not be made"; }
}

directory_provision() {
  local dc=$DIRECTORY/dc
  samba-tool domain provision --targetdir="$dc" --realm=LASTKEY.TEST --domain=LASTKEY --server-role=dc \
    --host-name=dc1 --host-ip="$DIRECTORY_ADDRESS" --dns-backend=NONE \
    --option="interfaces = $DIRECTORY_ADDRESS/8" --option="bind interfaces only = yes" \
    --option="server services = ldap" --option="log file = $dc/log" \
    --option="pid directory = $dc" --option="ncalrpc dir = $dc/ncalrpc" --option="ntp signd socket directory = $dc/ntp" \
    --option="tls keyfile = $DIRECTORY/server.key" --option="tls certfile = $DIRECTORY/server.pem" \
    --option="tls cafile = $DIRECTORY/ca.pem" \
    >"$RUN/provision.log" 2>&1 || { tail -n 20 "$RUN/provision.log"; fail "the directory could not be made"; }
}

# Who there is, with new passwords, goes into the file "accounts": NAME USER PASSWORD.
directory_accounts() {
  /usr/bin/python3 tests/setup/directory.py "$DIRECTORY/dc/etc/smb.conf" >"$DIRECTORY/accounts" 2>"$RUN/accounts.log" ||
    { cat "$RUN/accounts.log"; fail "the directory's accounts could not be made"; }
}

directory_start() {
  exec {DIRECTORY_OPEN}> >(exec samba --interactive --model=single --configfile="$DIRECTORY/dc/etc/smb.conf" >"$RUN/samba.log" 2>&1)
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    # Bash itself opens the connection.
    if (exec 3<>"/dev/tcp/$DIRECTORY_ADDRESS/636") 2>/dev/null; then return 0; fi
    sleep 0.1
  done
  tail -n 20 "$RUN/samba.log" "$DIRECTORY/dc/log"* || true
  fail "the directory did not start"
}
