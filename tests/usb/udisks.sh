#!/usr/bin/env bash
# udisks.sh FOLDER COMMAND...: runs a command beside a udisks of its own, which knows one drive with NTFS; DEVICE names it.
# It wants root and a mount namespace of its own: unshare --mount tests/usb/udisks.sh ...
set -euo pipefail
folder=$1
shift
# comes COMMAND...: waits until it succeeds
comes() {
  local tries
  for ((tries = 0; tries < 300; tries++)); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.1
  done
  echo "this did not come true: $*" >&2
  return 1
}

# What udev would have found out.
mkdir -p /run/udev
mount -t tmpfs none /run/udev
mkdir /run/udev/data
truncate -s 16M "$folder/image"
mkfs.ntfs -q -Q -F "$folder/image" >/dev/null 2>&1
DEVICE=$(losetup --find --show --partscan "$folder/image")
export DEVICE
printf 'E:ID_FS_TYPE=ntfs\nE:ID_FS_USAGE=filesystem\n' >"/run/udev/data/b$(lsblk --nodeps --noheadings --output MAJ:MIN "$DEVICE" | tr -d ' ')"

cat >"$folder/bus.conf" <<CONF
<busconfig>
  <type>custom</type>
  <listen>unix:path=$folder/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
    <allow user="*"/>
  </policy>
</busconfig>
CONF
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$folder/bus
dbus-daemon --config-file="$folder/bus.conf" --nofork --nopidfile &
bus=$!
udisks=
trap 'kill $udisks $bus || true; losetup --detach "$DEVICE"' EXIT
comes test -S "$folder/bus"
/usr/libexec/udisks2/udisksd &
udisks=$!
comes udisksctl info --block-device "$DEVICE"
"$@"
