# Part of ./dev, which sources it; the variables and small functions are dev's.
# shellcheck shell=bash disable=SC2154,SC2034,SC2164

# --- ./dev fuzz -----------------------------------------------------------------------------------
#
# libFuzzer's targets (tests/fuzz/), each for so many seconds, as many at once as there are cores. What
# is found lies in the state folder's fuzz/; who mends it puts the file into tests/fuzz/corpus/, where
# `make check` feeds it to the target ever after.

fuzz_targets() {
    local f
    for f in "$clone"/tests/fuzz/fuzz_*.c; do
        f=${f##*/fuzz_}
        say "${f%.c}"
    done
}

# One target. New inputs that reach more are kept from run to run.
fuzz_one() {
    local name=$1 seconds=$2 kept=$state/fuzz/$1
    mkdir -p "$kept"
    "$clone/build/fuzz/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -verbosity=1 -artifact_prefix="$state/fuzz/$name-" \
        "$kept" "$clone/tests/fuzz/corpus/$name" >"$state/log/fuzz/$name.log" 2>&1 </dev/null
}

# "executions coverage features", as libFuzzer's last words have them.
fuzz_figures() {
    awk '/^stat::number_of_executed_units/ { n = $2 }
        / cov: / { for (i = 1; i < NF; i++) { if ($i == "cov:") c = $(i + 1); if ($i == "ft:") f = $(i + 1) } }
        END { print n + 0, c + 0, f + 0 }' "$1"
}

cmd_fuzz() {
    local seconds=${1:-} name found=0 targets n c f commit
    [[ $seconds =~ ^[1-9][0-9]*$ ]] || die "usage: ./dev fuzz SECONDS (for each target)"
    prepare_state
    need_packages "${packages_up[@]}" "${packages_test[@]}"
    mkdir -p "$state/fuzz" "$state/log/fuzz"
    rm -f "$state"/log/fuzz/*
    build fuzz
    mapfile -t targets < <(fuzz_targets)
    for name in "${targets[@]}"; do
        while (($(jobs -rp | wc -l) >= $(nproc))); do
            wait -n || true
        done
        { fuzz_one "$name" "$seconds" && : >"$state/log/fuzz/$name.good"; } &
    done
    wait
    commit=$(git -C "$clone" rev-parse --short HEAD)
    [[ -z $(git -C "$clone" status --porcelain) ]] || commit+=" and changes"
    {
        cat <<END
# What the fuzzers saw

Written by \`./dev fuzz $seconds\` at commit $commit: $seconds seconds a target, with AddressSanitizer and
UndefinedBehaviorSanitizer. Coverage is libFuzzer's count of edges in the target and all that it links.

| target | executions | edges | features | found |
|---|---|---|---|---|
END
        for name in "${targets[@]}"; do
            read -r n c f < <(fuzz_figures "$state/log/fuzz/$name.log")
            if [[ -e $state/log/fuzz/$name.good ]]; then
                say "| $name | $n | $c | $f | nothing |"
            else
                say "| $name | $n | $c | $f | **a crash** |"
            fi
        done
    } >"$state/fuzz/REPORT.md"
    cat "$state/fuzz/REPORT.md"
    for name in "${targets[@]}"; do
        [[ -e $state/log/fuzz/$name.good ]] && continue
        found=1
        say "$name: see $state/log/fuzz/$name.log"
        grep -E 'does not hold|ERROR|runtime error|Test unit written' "$state/log/fuzz/$name.log" || true
    done
    ((found == 0)) || return 1
    [[ ${2:-} == --no-report ]] || cp "$state/fuzz/REPORT.md" "$clone/tests/fuzz/REPORT.md"
}
