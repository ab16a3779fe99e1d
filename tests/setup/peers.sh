# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# Other programs that read BitLocker drives. They judge what lastkey says, so they must be able to judge:
# each has to open a real drive with its recovery password, and to refuse it with another one.

PEER_PACKAGES="dislocker cryptsetup-bin libbde-utils python3-venv"

# prepare_peers: installs what it may, and names in LASTKEY_PEERS the readers that are there.
prepare_peers() {
  local names=()
  LASTKEY_PEERS_PYTHON=$KEPT/peers/bin/python3
  # shellcheck disable=SC2086
  packages $PEER_PACKAGES || true
  have dislocker-file && names+=(dislocker)
  have cryptsetup && names+=(cryptsetup)
  python_peers && names+=(libbde dissect)
  LASTKEY_PEERS="${names[*]-}"
  export LASTKEY_PEERS LASTKEY_PEERS_PYTHON
  [ ${#names[@]} -eq 4 ] ||
    missing "other readers (there are: ${LASTKEY_PEERS:-none})" "apt-get install $PEER_PACKAGES"
}

# dissect.fve and the newest libbde, from PyPI, in a private virtual environment
python_peers() {
  local list=tests/setup/peers.txt
  cmp -s "$list" "$KEPT/peers/installed.txt" && return 0
  rm -rf "$KEPT/peers"
  /usr/bin/python3 -m venv "$KEPT/peers" >"$RUN/venv.log" 2>&1 || return 1
  "$KEPT/peers/bin/pip" install --quiet --disable-pip-version-check --requirement "$list" || return 1
  cp "$list" "$KEPT/peers/installed.txt"
}

# A published test drive and its recovery password; the other differs in the last group and is well formed.
PEER_DRIVE=recovery_password.bin
PEER_RIGHT=284867-596541-514998-422114-660297-261613-215424-199408
PEER_WRONG=284867-596541-514998-422114-660297-261613-215424-199397

check_peers() {
  local peer drive=$LASTKEY_IMAGES_UNPACKED/$PEER_DRIVE
  for peer in $LASTKEY_PEERS; do
    "opens_$peer" "$drive" "$PEER_RIGHT" >"$RUN/peer.log" 2>&1 ||
      { cat "$RUN/peer.log"; fail "$peer does not open $PEER_DRIVE with its recovery password"; }
    if "opens_$peer" "$drive" "$PEER_WRONG" >"$RUN/peer.log" 2>&1; then
      fail "$peer opens $PEER_DRIVE with a wrong recovery password"
    fi
    echo "$peer opens a real drive with its recovery password and refuses another one"
  done
}

opens_dislocker() {
  dislocker-file -V "$1" "-p$2" -- "$RUN/clear" && [ "$(head -c 11 "$RUN/clear" | tail -c 8)" = "NTFS    " ]
}
opens_cryptsetup() { printf %s "$2" | cryptsetup open --type bitlk --test-passphrase --key-file - "$1"; }
opens_libbde() {
  "$LASTKEY_PEERS_PYTHON" - "$1" "$2" <<'PYTHON'
import sys
import pybde

volume = pybde.volume()
volume.set_recovery_password(sys.argv[2])
volume.open(sys.argv[1])
sys.exit(0 if not volume.is_locked() and volume.read(11)[3:] == b"NTFS    " else 1)
PYTHON
}
opens_dissect() {
  "$LASTKEY_PEERS_PYTHON" - "$1" "$2" <<'PYTHON'
import sys
from dissect.fve.bde import BDE

volume = BDE(open(sys.argv[1], "rb"))
volume.unlock_with_recovery_password(sys.argv[2])
sys.exit(0 if volume.open().read(11)[3:] == b"NTFS    " else 1)
PYTHON
}
