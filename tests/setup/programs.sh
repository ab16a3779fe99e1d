# shellcheck shell=bash disable=SC2034,SC2154
# The programs with which tests make disks, file systems and archives, and open password databases and
# sealed files.

PROGRAMS="losetup partx sfdisk fusermount3 mkfs.vfat mkfs.exfat mkfs.ntfs mkfs.ext4 mkfs.xfs mkfs.btrfs cryptsetup
  qemu-img qemu-io qemu-storage-daemon nbdinfo nbdcopy openssl xz bzip2 zstd zip xorriso ntfs-3g setfattr mcopy
  mount.exfat-fuse wimcapture keepassxc-cli age script strace udisksctl dbus-daemon ddrescue ddrescuelog setpriv unshare sudo pkexec"
PROGRAM_PACKAGES="mount util-linux fdisk fuse3 dosfstools exfatprogs ntfs-3g e2fsprogs xfsprogs btrfs-progs
  cryptsetup-bin qemu-utils libnbd-bin procps openssl xz-utils bzip2 zstd zip xorriso attr mtools exfat-fuse
  wimtools keepassxc age bsdutils python3-pykeepass strace udisks2 dbus-daemon gddrescue sudo pkexec polkitd"

prepare_programs() {
  local program lacking=()
  # shellcheck disable=SC2086
  { have $PROGRAMS && have_pykeepass; } || packages $PROGRAM_PACKAGES || true
  for program in $PROGRAMS; do have "$program" || lacking+=("$program"); done
  have_pykeepass || lacking+=(pykeepass)
  [ ${#lacking[@]} -eq 0 ] || missing "${lacking[*]}" "apt-get install $(tr -s ' \n' ' ' <<<"$PROGRAM_PACKAGES")"
}

have_pykeepass() { /usr/bin/python3 -c "import pykeepass" 2>/dev/null; }
