# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# What every stage uses: speaking, skipping, installing, running, counting.

SKIPPED=77 # the exit status of a stage that could not run

ci() { [ -n "${CI+set}" ]; } # the Rust tests ask the same

# have PROGRAM...: all of them are there
have() {
  local program
  for program in "$@"; do command -v "$program" >/dev/null || return 1; done
}

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# note TEXT: something that the summary repeats at the end
note() {
  echo "NOTE: $*"
  echo "$*" >>"$RUN/notes"
}

# missing WHAT HOW: a part of this stage cannot run. Under CI that is a failure.
missing() {
  if ci; then fail "missing: $1. To have it: $2"; fi
  note "$STAGE: missing: $1. To have it: $2"
}

# skip WHAT HOW: nothing of this stage can run
skip() {
  missing "$1" "$2"
  exit "$SKIPPED"
}

# packages NAME...: true when these Debian packages are there, after installing them if that is allowed
packages() {
  local name wanted=()
  have dpkg-query || return 1
  for name in "$@"; do
    dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || wanted+=("$name")
  done
  [ ${#wanted[@]} -eq 0 ] && return 0
  { [ "$(id -u)" -eq 0 ] && have apt-get; } || return 1
  echo "Installing ${wanted[*]}"
  export DEBIAN_FRONTEND=noninteractive
  if [ ! -e "$RUN/updated" ]; then
    apt-get -qq update || return 1
    touch "$RUN/updated"
  fi
  # What is there stays: a newer version from elsewhere would have to go before Debian's own of another package.
  if ! apt-get -qq -o DPkg::Lock::Timeout=120 install -y --no-install-recommends --no-remove "${wanted[@]}" \
    >"$RUN/apt.log" 2>&1; then
    tail -n 20 "$RUN/apt.log" >&2
    return 1
  fi
}

# component SUBCOMMAND NAME: a part of the Rust toolchain
component() {
  cargo "$1" --version >/dev/null 2>&1 || skip "cargo $1" "rustup component add $2"
}

# tool NAME VERSION [OPTION...]: a cargo subcommand, private to this checkout. It is built without
# much optimisation, because building it takes longer than all it ever does here.
tool() {
  local name=$1 version=$2
  shift 2
  [ "$("$TOOLS/bin/$name" --version 2>/dev/null)" = "$name $version" ] && return 0
  echo "Building $name $version (once)"
  env CARGO_TARGET_DIR="$TOOLS/build" CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
    cargo install --quiet --locked --root "$TOOLS" "$name@$version" "$@" || return 1
  rm -rf "$TOOLS/build"
}

# cargo_tests OPTION...: nextest where it is installed, else cargo's own runner. A test that lacks something
# prints "SKIPPED: WHY" and passes; such lines are counted here.
cargo_tests() {
  local log=$RUN/tests.log status=0
  if have cargo-nextest; then
    cargo nextest run --locked --no-fail-fast --status-level pass --final-status-level fail \
      --success-output immediate "$@"
  else
    cargo test --locked --no-fail-fast "$@" -- --show-output
  fi 2>&1 | tee "$log" | without_passed || status=$?
  slowest "$log"
  while read -r times why; do
    note "$STAGE: skipped in $times tests: $why"
  done < <(sed -n 's/.*\bSKIPPED: *//p' "$log" | sort | uniq -c)
  return "$status"
}

# What the tests print that passed is in the log and not shown.
without_passed() {
  awk '
    /^ +PASS \[/ || /^successes:$/ { quiet = 1 }
    /^(failures:|test result)/ || (/^ +[A-Z][A-Za-z-]+ \[/ && !/^ +PASS \[/) { quiet = 0 }
    !quiet'
}

# slowest LOG: where the time of a run went, if nextest says it
slowest() {
  local passed
  passed=$(sed -nE 's/^ +PASS \[ *([0-9.]+s)\] \([ 0-9/]+\) (.*)/\1 \2/p' "$1" | sort -rn)
  [ -z "$passed" ] || printf 'The slowest:\n%s\n' "$(head -n 15 <<<"$passed")"
}

set_environment() {
  KEPT=$ROOT/target # private to this checkout: tools, other readers, unpacked drives
  TOOLS=$KEPT/tools
  mkdir -p "$KEPT"
  export PATH="$TOOLS/bin:$PATH:/usr/sbin:/sbin"
  IMAGES=$(realpath -m "${LASTKEY_IMAGES:-../shared/images}")
  if [ -d "$IMAGES" ]; then export LASTKEY_IMAGES=$IMAGES; fi
  # A log is read later and elsewhere: no colours, no progress bars.
  if [ ! -t 1 ]; then export CARGO_TERM_COLOR=never CARGO_TERM_PROGRESS_WHEN=never NO_COLOR=1; fi
  # Under CI nothing is built a second time, or looked at in a debugger: what would help with that costs time and gigabytes.
  if [ -n "${CI:-}" ]; then export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0; fi
}

list() {
  local stage
  for stage in "${STAGES[@]}"; do printf '%-9s %s\n' "$stage" "${ABOUT[$stage]}"; done
}

run_stage() {
  STAGE=$1
  local started=$SECONDS status=0 word
  printf '\n==== %s: %s\n' "$STAGE" "${ABOUT[$STAGE]}"
  # Not in a condition: there bash would not stop the stage at its first error.
  set +e
  (
    set -e
    "stage_$STAGE"
  )
  status=$?
  set -e
  case $status in
    0) word=passed ;;
    "$SKIPPED") word=skipped ;;
    *) word=failed ;;
  esac
  printf -- '---- %s %s in %d s\n' "$STAGE" "$word" $((SECONDS - started))
  printf '%-9s %-8s %5d s\n' "$STAGE" "$word" $((SECONDS - started)) >>"$RUN/table"
}

count() { awk -v word="$1" '$2 == word { n++ } END { print n + 0 }' "$RUN/table"; }

summary() {
  printf '\n==== summary, after %d min %02d s\n' $((SECONDS / 60)) $((SECONDS % 60))
  cat "$RUN/table"
  if [ -e "$RUN/notes" ]; then
    printf '\nNot everything was tested:\n'
    sort -u "$RUN/notes" | sed 's/^/  /'
  fi
  printf '\n%d passed, %d failed, %d skipped\n' "$(count passed)" "$(count failed)" "$(count skipped)"
  [ "$(count failed)" -eq 0 ]
}
