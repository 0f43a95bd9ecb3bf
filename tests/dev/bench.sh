# Part of ./dev, which sources it; the variables and small functions are dev's.
# shellcheck shell=bash disable=SC2154,SC2034

# --- ./dev bench ----------------------------------------------------------------------------------
#
# A benchmark is a program in tests/bench/ that measures a shop of its own, without limits, and prints a
# table. It says whether its targets were met by its exit status; no test calls it.

packages_bench=(wrk)

cmd_bench() {
    local name=${1:-}
    if [[ -z $name || ! -x $clone/tests/bench/$name.py ]]; then
        say "usage: ./dev bench NAME, one of:"
        find "$clone/tests/bench" -name '*.py' -perm -u+x -printf '  %f\n' | sed 's/\.py$//' | sort
        exit 64
    fi
    prepare_state
    need_packages "${packages_up[@]}" "${packages_bench[@]}"
    exec 8>"$state/bench.lock"
    flock -n 8 || die "another ./dev bench is at work in this clone"
    build release
    trap 'rc=$?; [[ -z ${shop:-} ]] || shop_down; exit $rc' EXIT
    trap 'exit 130' INT TERM
    use_shop "$state/bench" release
    shop_down
    rm -rf "$shop"
    local settings=(LIMIT_PUBLIC=0 LIMIT_SIGNED_IN=0 LIMIT_LOGIN=0 LIMIT_LOGIN_ACCOUNT=0 "TRUSTED_PROXIES=127.0.0.1,::1")
    shop_up "$(port_any)" off "${settings[@]}"
    while [[ $port_taken == yes ]]; do
        shop_up "$(port_any)" off "${settings[@]}"
    done
    suite_environment
    /usr/bin/python3 -B "$clone/tests/bench/$name.py"
}
