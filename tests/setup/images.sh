# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# Real drives, made by Windows: a folder of NAME.xz files and a script `unpack FOLDER` beside them.

IMAGES_HOW="put their folder into LASTKEY_IMAGES (docs/testing.md says what lies in it)"

# prepare_images: unpacks them once and says where. False, with the reason in IMAGES_WHY, if there are none.
prepare_images() {
  if [ ! -f "$IMAGES/unpack" ]; then
    IMAGES_WHY="real drives, looked for in $IMAGES"
    return 1
  fi
  if ! have xz && ! packages xz-utils; then
    IMAGES_WHY="xz, to unpack the real drives"
    IMAGES_HOW="apt-get install xz-utils"
    return 1
  fi
  bash "$IMAGES/unpack" "$KEPT/images" || fail "the drives in $IMAGES could not be unpacked"
  export LASTKEY_IMAGES_UNPACKED=$KEPT/images
}

# check_images: each one is there and starts as a drive does
check_images() {
  local packed file count=0
  for packed in "$IMAGES"/*.xz; do
    file=$LASTKEY_IMAGES_UNPACKED/$(basename "$packed" .xz)
    [ "$(head -c 512 "$file" | tail -c 2 | od -An -tx1)" = " 55 aa" ] || fail "$file does not start with a boot sector"
    count=$((count + 1))
  done
  echo "$count drives in $LASTKEY_IMAGES_UNPACKED, $(du -sh "$LASTKEY_IMAGES_UNPACKED" | cut -f1) on disk"
}
