# shellcheck shell=bash disable=SC2034,SC2154
# The programs with which tests make disks, file systems and archives.

PROGRAMS="losetup partx sfdisk fusermount3 mkfs.vfat mkfs.exfat mkfs.ntfs mkfs.ext4 mkfs.xfs mkfs.btrfs cryptsetup
  qemu-img xz bzip2 zstd zip xorriso"
PROGRAM_PACKAGES="mount util-linux fdisk fuse3 dosfstools exfatprogs ntfs-3g e2fsprogs xfsprogs btrfs-progs
  cryptsetup-bin qemu-utils xz-utils bzip2 zstd zip xorriso"

prepare_programs() {
  local program lacking=()
  # shellcheck disable=SC2086
  have $PROGRAMS || packages $PROGRAM_PACKAGES || true
  for program in $PROGRAMS; do have "$program" || lacking+=("$program"); done
  [ ${#lacking[@]} -eq 0 ] || missing "${lacking[*]}" "apt-get install $(tr -s ' \n' ' ' <<<"$PROGRAM_PACKAGES")"
}
