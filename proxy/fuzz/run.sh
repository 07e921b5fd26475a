#!/bin/sh
# Fuzzes one target: run.sh TARGET [SECONDS] — or all of them, one after the other: run.sh all [SECONDS].
#
# What is interesting goes to corpus/TARGET, which is not kept; `run.sh keep TARGET` picks the few inputs that together
# reach all of it, for seeds/TARGET, where `cargo test` replays them. Needs a C++ compiler, but no nightly one: libFuzzer
# counts what LLVM's own pass inserts.
set -eu
cd "$(dirname "$0")"
host=$(rustc -vV | sed -n 's/^host: //p')
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"
keep=no
if [ "$1" = keep ]; then keep=yes; shift; fi
targets=$1
if [ "$targets" = all ]; then targets=$(ls fuzz_targets | sed 's/\.rs$//'); fi
cargo build --release --target "$host"
for target in $targets; do
    program=target/$host/release/$target
    mkdir -p "corpus/$target" "artifacts/$target"
    if [ $keep = yes ]; then
        small=$(mktemp -d)
        # By what is reached, not by how often: a hundred inputs instead of a thousand.
        "$program" -merge=1 -use_counters=0 -rss_limit_mb=2048 "$small" "seeds/$target" "corpus/$target"
        find "$small" -type f -size -3k -exec cp -n {} "seeds/$target/" \;
        rm -r "$small"
    else
        "$program" -max_total_time="${2:-600}" -rss_limit_mb=2048 -timeout=20 -max_len=8192 \
            -artifact_prefix="artifacts/$target/" "corpus/$target" "seeds/$target"
    fi
done
