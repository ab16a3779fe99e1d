# shellcheck shell=bash disable=SC2154
# libFuzzer needs unstable compiler flags. Rather than asking for a second toolchain, RUSTC_BOOTSTRAP lets the
# stable one take them, for these builds alone: what is fuzzed is what is released.

# fuzz_each SECONDS: every target for so long; what breaks one is left in fuzz/artifacts
fuzz_each() {
  local target seconds=$1 programs
  export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$KEPT/fuzz
  programs=$CARGO_TARGET_DIR/$(rustc -vV | sed -n 's/^host: //p')/release
  cp Cargo.lock fuzz/Cargo.lock
  RUSTC_WRAPPER=$ROOT/fuzz/rustc cargo fuzz build --codegen-units 16
  for target in $(cargo fuzz list); do
    # One on each processor.
    [ "$(jobs -rp | wc -l)" -lt "$(nproc)" ] || wait -n || true
    fuzz_one "$target" "$seconds" "$programs/$target" &
  done
  wait
  for target in $(cargo fuzz list); do [ -e "$RUN/$target.fuzzed" ] || return 1; done
}

fuzz_one() {
  local target=$1 seconds=$2 program=$3 inputs seed=0 log=$RUN/fuzz-$1.log
  # Under CI always the same inputs: a commit is judged by what is in it. Elsewhere chance finds more.
  if ci; then seed=1; fi
  mkdir -p "fuzz/corpus/$target" "fuzz/artifacts/$target"
  if ! "$program" -artifact_prefix="fuzz/artifacts/$target/" -max_total_time="$seconds" -timeout=10 -seed="$seed" \
    -rss_limit_mb=2048 -print_final_stats=1 "fuzz/corpus/$target" >"$log" 2>&1; then
    tail -n 50 "$log"
    fail "$target broke. Again: cargo fuzz run $target FILE, where FILE is in fuzz/artifacts/$target"
  fi
  inputs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  echo "$target: $inputs inputs in $seconds s, none broke it"
  touch "$RUN/$target.fuzzed"
}
