# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# Chromium, playwright-core to drive it, axe-core to judge its pages: the versions of tests/browser/package-lock.json,
# without running anything that they would run when they are installed.

BROWSER_PACKAGES="chromium nodejs npm openssl oathtool"

# prepare_browser: names the folder with its modules in LASTKEY_BROWSER, if all of it can be had.
prepare_browser() {
  if browser_programs && browser_modules; then
    export LASTKEY_BROWSER=$KEPT/browser
  else
    missing "Chromium, what drives it and oathtool" "apt-get install $BROWSER_PACKAGES, and npm's registry in reach"
  fi
}

# browser_programs: each by itself, because a Node from elsewhere and Debian's npm do not go together
browser_programs() {
  { have chromium || packages chromium; } && { have node npm || packages nodejs npm; } &&
    { have openssl oathtool || packages openssl oathtool; }
}

browser_modules() {
  local folder=$KEPT/browser
  cmp -s tests/browser/package-lock.json "$folder/installed.json" && return 0
  rm -rf "$folder"
  mkdir -p "$folder"
  cp tests/browser/package.json tests/browser/package-lock.json "$folder/"
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error --prefix "$folder" >"$RUN/npm.log" 2>&1 ||
    { tail -n 20 "$RUN/npm.log" >&2; return 1; }
  cp tests/browser/package-lock.json "$folder/installed.json"
}
