# shellcheck shell=bash disable=SC2034,SC2154
# The programs that judge printed pages, and real printers (print-shop) to print them.

PAPER_PROGRAMS="pdftoppm pdftotext pdffonts pdfinfo qpdf zbarimg unshare ip dbus-daemon avahi-daemon ippeveprinter
  ipptool cupsd cupsdisable lpadmin lpstat"
PAPER_PACKAGES="poppler-utils qpdf zbar-tools util-linux iproute2 dbus avahi-daemon cups cups-client cups-filters
  cups-ipp-utils"

prepare_paper() {
  local program lacking=()
  # shellcheck disable=SC2086
  have $PAPER_PROGRAMS || packages $PAPER_PACKAGES || true
  for program in $PAPER_PROGRAMS; do have "$program" || lacking+=("$program"); done
  [ ${#lacking[@]} -eq 0 ] || missing "${lacking[*]}" "apt-get install $(tr -s ' \n' ' ' <<<"$PAPER_PACKAGES")"
}
