# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# A virtual machine with a real kernel and its drivers for USB sticks, FAT, exFAT and NTFS, which the kernel that the
# tests run on need not have: Debian's, newer than bookworm's own because that has no driver for NTFS. Nothing of it is installed.

VM_PACKAGES="qemu-system-x86 busybox-static kmod xz-utils ntfs-3g exfatprogs exfat-fuse dosfstools mtools fatattr"
VM_MODULES="fuse xhci-pci usb-storage sd_mod vfat exfat ntfs3 nls_cp437 nls_ascii nls_iso8859-1 nls_utf8"

# prepare_vm: makes a kernel and a first root file system for it, and names their folder in LASTKEY_VM.
prepare_vm() {
  local folder=$KEPT/vm
  # shellcheck disable=SC2086
  packages $VM_PACKAGES || packages_of_backports qemu-system-x86 && packages $VM_PACKAGES || vm_programs ||
    { missing "qemu, busybox and the tools of three file systems" "apt-get install $VM_PACKAGES"; return 0; }
  if [ "$(cat "$folder/modules" 2>/dev/null)" != "$VM_MODULES" ]; then
    if ! vm_kernel "$folder.new"; then
      missing "a kernel for the virtual machine" "a Debian system with bookworm-backports in reach"
      return 0
    fi
    rm -rf "$folder"
    echo "$VM_MODULES" >"$folder.new/modules"
    mv "$folder.new" "$folder"
  fi
  export LASTKEY_VM=$folder
}

# vm_programs: the same without Debian's packages
vm_programs() { have qemu-system-x86_64 busybox modprobe xz ntfscat fsck.exfat mkfs.vfat mcopy fatattr; }

# backports COMMAND ARGUMENT...: apt-get or apt-cache with bookworm-backports beside the system's sources, leaving the system's alone
backports() {
  local apt=$KEPT/apt mirror
  if [ ! -d "$apt/lists" ]; then
    # shellcheck disable=SC2016 # that is apt's own variable
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | head -n 1)
    mkdir -p "$apt/lists/partial" "$apt/sources"
    cp /etc/apt/sources.list.d/debian.sources "$apt/sources/" 2>/dev/null || true
    echo "deb ${mirror:-http://deb.debian.org/debian/} bookworm-backports main" >"$apt/sources/backports.list"
    # shellcheck disable=SC2046
    apt-get $(backports_options) -qq update || { rm -rf "$apt"; return 1; }
  fi
  # shellcheck disable=SC2046
  "$1" $(backports_options) "${@:2}"
}

backports_options() {
  local apt=$KEPT/apt
  printf -- '-o %s ' Dir::Etc::sourceparts="$apt/sources" Dir::State::lists="$apt/lists" \
    Dir::Cache::pkgcache= Dir::Cache::srcpkgcache= APT::Sandbox::User=root DPkg::Lock::Timeout=120
}

# packages_of_backports NAME...: where qemu's tools come from there, the rest of it must too
packages_of_backports() {
  [ "$(id -u)" -eq 0 ] && have apt-get || return 1
  DEBIAN_FRONTEND=noninteractive backports apt-get -qq install -y --no-install-recommends \
    -t bookworm-backports "$@" >"$RUN/apt.log" 2>&1 || { tail -n 20 "$RUN/apt.log" >&2; return 1; }
}

# vm_kernel FOLDER: Debian's newest 6.12 kernel of backports, and a root file system of busybox and modules
vm_kernel() {
  local folder=$1 package release root module file
  have apt-get dpkg-deb depmod || return 1
  rm -rf "$folder"
  mkdir -p "$folder/root"/{bin,dev,etc,lib,m,proc,sys,tmp,run}
  package=$(backports apt-cache depends linux-image-6.12-amd64 | sed -n 's/^ *Depends: *//p' | head -n 1) || return 1
  [ -n "$package" ] || return 1
  release=${package#linux-image-}
  echo "Fetching Debian's kernel $release (once)"
  (cd "$folder" && backports apt-get -qq download "$package" && dpkg-deb -x "$package"_*.deb kernel) || return 1
  cp "$folder/kernel/boot/vmlinuz-$release" "$folder/vmlinuz"
  depmod -b "$folder/kernel" "$release"
  root=$folder/root
  for module in $VM_MODULES; do
    while read -r file; do
      module=$(basename "$file" .xz)
      [ ! -e "$root/lib/$module" ] || continue
      xz -dc "$file" >"$root/lib/$module" || return 1
      echo "$module" >>"$root/etc/modules"
    done < <(modprobe -d "$folder/kernel" -S "$release" --show-depends "$module" | awk '$1 == "insmod" { print $2 }')
  done
  cp "$(command -v busybox)" "$root/bin/busybox"
  cp tests/setup/vm/init "$root/init"
  chmod +x "$root/init"
  (cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null) >"$folder/root.cpio.new"
  mv "$folder/root.cpio.new" "$folder/root.cpio"
  rm -rf "$folder/kernel" "$folder"/*.deb "$root"
}
