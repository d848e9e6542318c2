#!/usr/bin/env bash
# Runs the models: run_models.sh [MODEL.pml...], by default all of this folder.
#
# Each line of a model that says "spin: [-D...] must pass" or "spin: [-D...] must fail" is a run: an exhaustive search under these
# definitions, which has to end without an error, or to find one. JOBS: how many run at once, by default as many as there are cores.
set -u

if [[ ${1-} == --one ]]; then
  IFS=$'\t' read -r expected model flags <<<"$2"
  read -ra defines <<<"$flags"
  name="$(basename "$model")${flags:+ $flags}"
  build=$(mktemp -d "$WEFT_MODELS_BUILD/run.XXXXXX") && cd "$build" || exit 1
  verdict() {
    echo "$1  $name: $2"
    rm -rf "$build"
    exit 0
  }
  if ! spin -a "${defines[@]}" "$model" >spin.out 2>&1 || [[ ! -f pan.c ]]; then
    verdict FAILED "spin does not read it: $(grep -m1 -i error spin.out)"
  fi
  # SAFETY: no liveness. States are kept whole: up to 2 GB a run, and a third less time. Depth in steps; a search that meets it is not
  # exhaustive.
  # An error is found soon: there the compiler would take longer to optimise than the search takes.
  [[ $expected == fail ]] && level=-O0 || level=-O2
  cc "$level" -w -DSAFETY -o pan pan.c 2>cc.out || verdict FAILED "the compiler does not read it: $(grep -m1 error cc.out)"
  timeout 500 ./pan -m1000000 >pan.out 2>&1 || verdict FAILED "the search ended with status $?"
  states=$(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' pan.out)
  error=$(sed -n 's/^pan:1: \(.*\) (at depth.*/\1/p' pan.out)
  if grep -q 'errors: [1-9]' pan.out; then
    found=fail text="$error"
  elif grep -q 'max search depth too small\|out of memory\|Search not completed' pan.out; then
    verdict FAILED "the search is not exhaustive"
  elif grep -q 'errors: 0' pan.out; then
    found=pass text="no error"
  else
    verdict FAILED "the search ended without a result"
  fi
  if [[ $found == "$expected" ]]; then
    verdict "ok    " "$states states, $text"
  else
    verdict FAILED "must $expected, but: $states states, $text"
  fi
fi

for tool in spin cc timeout; do
  command -v "$tool" >/dev/null || { echo "run_models.sh: there is no $tool" >&2; exit 1; }
done
script=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
models=("$@")
[[ $# -ne 0 ]] || models=("$(dirname "$script")"/*.pml)
WEFT_MODELS_BUILD=$(mktemp -d) || exit 1
export WEFT_MODELS_BUILD
trap 'rm -rf "$WEFT_MODELS_BUILD"' EXIT

for model in "${models[@]}"; do
  model=$(realpath "$model")
  lines=$(sed -n 's/.*spin: *\(-D.*[^ ]\)\{0,1\} *must \(pass\|fail\)\( .*\)\{0,1\}$/\2\t@\t\1/p' "$model")
  if [[ -z $lines ]]; then
    printf 'none\t%s\t\n' "$model"
  else
    echo "${lines//@/$model}"
  fi
done >"$WEFT_MODELS_BUILD/runs"
# The complete searches take longest: first.
sort -s -r -k1,1 "$WEFT_MODELS_BUILD/runs" | xargs -d '\n' -n 1 -P "${JOBS:-$(nproc)}" "$script" --one | tee "$WEFT_MODELS_BUILD/results"

passed=$(grep -c '^ok ' "$WEFT_MODELS_BUILD/results")
failed=$(($(wc -l <"$WEFT_MODELS_BUILD/runs") - passed))
echo "$passed passed, $failed failed"
[[ $failed -eq 0 && $passed -ne 0 ]]
