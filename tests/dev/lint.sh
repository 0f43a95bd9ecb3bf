# Part of ./dev, which sources it; the variables and small functions are dev's.
# shellcheck shell=bash disable=SC2154,SC2034,SC2164

# --- ./dev lint -----------------------------------------------------------------------------------

our_c() { git -C "$clone" ls-files -co --exclude-standard '*.c' '*.h'; }

our_shell() {
    git -C "$clone" ls-files -co --exclude-standard dev .ci/run '*.sh' 'systemd/debian/p*'
}

# Names the files that `clang-format -i` would change.
lint_format() {
    local file rc=0
    while read -r file; do
        clang-format "$file" | cmp -s - "$file" || { rc=1 && say "$file: clang-format -i $file"; }
    done < <(our_c)
    return "$rc"
}

# compile_flags.txt says how the check build compiles; stmt.h must have been made.
lint_tidy() {
    our_c | grep '\.c$' | sed "s|^|$clone/|" |
        xargs -r -P "$(nproc)" -n 4 clang-tidy --quiet --warnings-as-errors='*' \
            -p "$clone/build/check" 2>"$state/log/clang-tidy.err" ||
        { grep -v 'warnings generated' "$state/log/clang-tidy.err" >&2; return 1; }
}

# What is suppressed here, clang's analyser looks at with more understanding.
lint_cppcheck() {
    cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -j "$(nproc)" \
        --enable=warning,performance,portability --suppress=missingIncludeSystem \
        --suppress=uninitvar --suppress=autoVariables --suppress=invalidFunctionArg \
        --library=posix -D_GNU_SOURCE -D__GNUC__ -I "$clone/fcgi-app" \
        -I "$clone/build/check/fcgi-app" "$clone/fcgi-app"
}

lint_shell() { our_shell | xargs -r shellcheck -x; }

# Each tool is silent if it has nothing to say; with `_lint`, each is a test.
cmd_lint() {
    prepare_state
    need_packages "${packages_up[@]}" "${packages_test[@]}"
    prepare_lint
    local rc=0 tool
    for tool in format tidy cppcheck shell; do
        "lint_$tool" || rc=1
    done
    return "$rc"
}

cmd__lint() {
    prepare_lint
    local tool
    for tool in format tidy cppcheck shell; do
        as_tap "lint: $tool" "lint_$tool"
    done
}

prepare_lint() {
    cd "$clone"
    [[ -e build/check/Makefile ]] || build check
    quietly lint-flags make -C build/check fcgi-app/shop/stmt.h compile_flags.txt
}
