# Part of ./dev, which sources it; the variables and small functions are dev's.
# shellcheck shell=bash disable=SC2154,SC2034,SC2164

# --- ./dev test -----------------------------------------------------------------------------------
#
# A suite is one program that prints TAP. Its id says what it is: check/unit/test_text,
# asan/e2e/test_cart, floors. Flavour `check` is the release build with fault points, `asan` the same
# with sanitizers instead of hardening. An end-to-end suite that says `# flavours: check` is about a
# browser, the planner or the simulator, and would find nothing more under sanitizers.

passed=0
failed=0
flavours=(check asan)
declare -A built=()

list_suites() {
    local flavour f
    cd "$clone"
    for flavour in "${flavours[@]}"; do
        for f in tests/unit/test_*.c tests/fuzz/fuzz_*.c tests/integration/test_*.c tests/e2e/test_*.py; do
            [[ -e $f ]] || continue
            [[ $flavour == check ]] || ! grep -q '^# flavours: check$' "$f" || continue
            say "$flavour/${f:6}" | sed 's/\.[a-z]*$//'
        done
        [[ $flavour == asan || ! -e tests/contract/check.py ]] || say contract
    done
    for f in tests/sim/test_*.py; do
        [[ ! -e $f ]] || say "${f:6}" | sed 's/\.py$//'
    done
    printf '%s\n' floors migrations asvs systemd_verify manifest package site hosts machine lint distcheck canary
}

# need FLAVOUR programs|tests: builds it once in this run. One that does not build is one failure,
# and none of its suites can run.
need() {
    local what="$1 $2" began=$EPOCHREALTIME
    [[ ${built[$what]:-} == '' ]] || return "${built[$what]}"
    built[$what]=0
    if [[ $2 == tests ]]; then
        need "$1" programs && (quietly "build-$1-tests" make -C "$clone/build/$1" -j"$(nproc)" \
            check TESTS=) || built[$what]=1
    else
        (build "$1") || built[$what]=1
    fi
    if ((built[$what] != 0)); then
        failed=$((failed + 1))
        printf '%-44s does not build\n' "$what"
    else
        printf '%-44s built %25s s\n' "$what" "$(elapsed "$began")"
    fi
    return "${built[$what]}"
}

elapsed() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'; }

# suite ID COMMAND...: runs it, its TAP on standard output, and counts. A suite that dies, that stops
# before its plan is fulfilled, or that tests nothing is a failure of its own.
suite() {
    local id=$1 log=$state/log/test/$1 began=$EPOCHREALTIME rc=0 ok not_ok
    shift
    mkdir -p "$(dirname "$log")"
    timeout --foreground --kill-after=10 900 "$@" >"$log.tap" 2>"$log.log" </dev/null || rc=$?
    count "$id" "$rc" "$began"
}

# The same for a program that uses `check`, which writes its TAP to a file.
suite_of_check() {
    local id=$1 log=$state/log/test/$1 began=$EPOCHREALTIME rc=0
    shift
    mkdir -p "$(dirname "$log")"
    rm -f "$log.tap"
    CK_TAP_LOG_FILE_NAME=$log.tap CK_VERBOSITY=verbose \
        timeout --foreground --kill-after=10 900 "$@" >"$log.log" 2>&1 </dev/null || rc=$?
    [[ -e $log.tap ]] || : >"$log.tap"
    count "$id" "$rc" "$began"
}

count() {
    local id=$1 rc=$2 began=$3 log=$state/log/test/$1 ok not_ok
    read -r ok not_ok < <(awk -v rc="$rc" '
        /^ok / { if (/# SKIP/) skipped++; else ok++ }
        /^not ok / { not_ok++ }
        /^1\.\.[0-9]+/ { plan = substr($0, 4) + 0 }
        END {
            missing = plan - ok - not_ok - skipped
            if (missing > 0) not_ok += missing
            if (not_ok == 0 && (rc != 0 || ok == 0)) not_ok = 1
            print ok + 0, not_ok + 0
        }' "$log.tap")
    passed=$((passed + ok))
    failed=$((failed + not_ok))
    printf '%-44s %4d passed %4d failed %7s s\n' "$id" "$ok" "$not_ok" "$(elapsed "$began")"
    if ((not_ok > 0)); then
        grep '^not ok' "$log.tap" | head -n 20 | sed 's/^/    /' || true
        say "    exit status $rc; see $log.tap, $log.log"
    fi
}

# A command without TAP of its own is one test.
as_tap() {
    local name=$1
    shift
    tap_number=$((${tap_number:-0} + 1))
    if "$@" >&2; then
        say "ok $tap_number - $name"
    else
        say "not ok $tap_number - $name"
    fi
}

# What all shops of a flavour begin with, made once in each run: a database with schema and demo
# goods, their pictures, keys and certificates. No server runs in it.
test_template() {
    local flavour=$1
    [[ -z ${built[$flavour template]:-} ]] || return 0
    use_shop "$state/test/template-$flavour" "$flavour"
    rm -rf "$shop"
    shop_folders
    shop_secrets
    port_any >"$shop/run/port"
    shop_conf_and_sim PASSWORD_COST=1
    shop_postgres off
    shop_redis
    shop_schema
    shop_down
    built[$flavour template]=0
}

# A shop of that flavour, as the template is, in which no server runs yet.
test_shop_begin() {
    local id=$1 flavour=${1%%/*} from=$state/test/template-${1%%/*} f
    test_template "$flavour"
    use_shop "$state/test/${id//\//-}" "$flavour"
    shop_down
    rm -rf "$shop"
    shop_folders
    for f in pg media tls; do
        cp -a "$from/$f/." "$shop/$f"
    done
    cp -a "$from"/conf/{token_key,data_key,sim-secrets,demo-accounts} "$shop/conf"
    cp -a "$from/admin" "$shop"
    put 600 "$shop/conf/has-schema" </dev/null
}

# The shop of one suite. Its limits are off unless the suite wants to meet them; a line
# `# settings: NAME=value ...` adds to them.
test_shop() {
    local id=$1 file=${2:-} settings
    test_shop_begin "$id"
    settings=(FAULT_DIR="$shop/fault" WORKERS_FAST=4 WORKERS_HASH=2 WORKERS_WIRE=2 PASSWORD_COST=1
        "TRUSTED_PROXIES=127.0.0.1,::1")
    if [[ -z $file ]] || ! grep -q '^# limits: defaults' "$file"; then
        settings+=(LIMIT_PUBLIC=0 LIMIT_SIGNED_IN=0 LIMIT_LOGIN=0 LIMIT_LOGIN_ACCOUNT=0)
    fi
    if [[ -n $file ]]; then
        local -a more
        read -r -a more < <(sed -n 's/^# settings: //p' "$file" | tr '\n' ' ') || true
        settings+=("${more[@]}")
    fi
    if [[ -n $file ]]; then
        shop_up "$(port_any)" off "${settings[@]}"
        while [[ $port_taken == yes ]]; do
            shop_up "$(port_any)" off "${settings[@]}"
        done
    else
        port_any >"$shop/run/port" # where nobody listens: there is no nginx
        shop_conf_and_sim "${settings[@]}"
        shop_postgres off
        shop_redis
        # Tests of io/pg make tables of their own, and provoke deadlocks that need no patience.
        "$(pg_bin)/psql" -X -q -v ON_ERROR_STOP=1 -h "$sockets" -U postgres -d soko <<'SQL'
GRANT CREATE ON DATABASE soko TO soko_app;
GRANT SET ON PARAMETER deadlock_timeout TO soko_app;
SQL
    fi
}

# The audit log as a log among others, for canary.py. A suite may have left PostgreSQL stopped.
keep_audit() {
    if ! (shop_postgres off) ||
        ! "$(pg_bin)/psql" -XqtA -h "$sockets" -U postgres -d soko \
            -c 'SELECT to_json(l) FROM audit_log l ORDER BY id' >"$shop/log/audit.log"; then
        say "    the audit log could not be read"
    fi
}

# Ends the suite's shop, and keeps what it wrote: a sanitizer's finding in a server's log is a
# failure, whatever the client saw.
test_shop_end() {
    local id=$1 kept=$state/log/test/$1.shop
    keep_audit
    shop_down
    rm -rf "$kept"
    cp -r "$shop/log" "$kept"
    # For canary.py: what these servers must never have said.
    {
        cat "$shop/conf/token_key" "$shop/conf/data_key"
        sed 's/^[A-Z0-9_]*=//' "$shop/conf/sim-secrets"
        awk '{ print $3 }' "$shop/conf/demo-accounts"
    } >"$kept/secrets"
    rm -rf "$shop"
    [[ $sockets == "$shop/run" ]] || rm -rf "$sockets"
    if grep -lE 'runtime error:|ERROR: (Address|Leak)Sanitizer' "$kept"/*.log; then
        failed=$((failed + 1))
        say "    a sanitizer spoke in the logs above"
    fi
}

run_integration() {
    local flavour=$1 id
    shift
    test_shop "$flavour/integration"
    for id in "$@"; do
        SOKO_TEST_DATABASE_URL=$(database_url soko_app) SOKO_TEST_OWNER_URL=$(database_url soko_owner) \
            SOKO_TEST_REDIS_ADDRESS=unix:$sockets/redis.sock SOKO_SQL_DIR=$clone/sql \
            SOKO_SIM=$(sim_url) SOKO_CONF=$shop/conf/soko.conf \
            suite_of_check "$id" "$clone/build/$flavour/tests/${id#*/}"
    done
    test_shop_end "$flavour/integration"
}

# What a program that tests a shop from outside must know, for all that is started from here on.
suite_environment() {
    SOKO_BASE=https://localhost:$(<"$shop/run/port")
    SOKO_OWNER_URL=$(database_url soko_owner)
    SOKO_SIM=$(sim_url)
    export SOKO_BASE SOKO_OWNER_URL SOKO_SIM
    export SOKO_CACERT=$shop/tls/cert.pem SOKO_CTL="${ctl[*]}" SOKO_STATE=$shop \
        SOKO_FAULT_DIR=$shop/fault SOKO_REDIS_SOCKET=$sockets/redis.sock SOKO_DEV=$self \
        SOKO_ACCOUNTS=$shop/conf/demo-accounts SOKO_CONF=$shop/conf/soko.conf \
        SOKO_SDK=$state/sdk
}

# Three machines, each a network namespace, which takes root. What was measured is told.
run_hosts() {
    local folder=$state/test/hosts become=()
    ((EUID == 0)) || become=(sudo)
    folder 755 "$folder"
    suite hosts "${become[@]}" env SOKO_HOSTS="$folder" SOKO_INST="$state/inst/check" SOKO_USER="$user" \
        SOKO_KEPT="$state/log/test/hosts.shop" /usr/bin/python3 -B "$clone/tests/hosts/test_hosts.py"
    sed -n 's/^# figure: /    /p' "$state/log/test/hosts.tap"
}

# The installed site, in namespaces, which takes root.
run_site() {
    local tree=$state/test/site become=()
    ((EUID == 0)) || become=(sudo)
    "${become[@]}" rm -rf "$tree"
    quietly site-install make -C "$clone/build/check" install DESTDIR="$tree" prefix=/usr sysconfdir=/etc
    suite site "${become[@]}" /usr/bin/python3 -B "$clone/tests/site/test_site.py" "$tree"
    "${become[@]}" rm -rf "$tree"
}

# The package on a Debian of its own, which takes root too. What the suite `package` has made in this run
# is not made again.
run_machine() {
    local become=() package=()
    ((EUID == 0)) || become=(sudo)
    mapfile -t package < <(sed -n 's/^# \(.*[.]deb\)$/--package=\1/p' "$state/log/test/package.tap" 2>/dev/null || true)
    suite machine "${become[@]}" /usr/bin/python3 -B "$clone/tests/machine/test_machine.py" \
        --folder "$state/test/machine" "${package[@]}"
    sed -n 's/^# figure: /    /p' "$state/log/test/machine.tap"
}

# beside FUNCTION ID: runs it as a process of its own, when fewer than $at_once do so. What it prints is
# kept together; its counts are gathered by gather(), which takes one that left none for a failure.
beside() {
    local out=$state/log/test/$2.out
    mkdir -p "$(dirname "$out")"
    while (($(jobs -rp | wc -l) >= at_once)); do
        wait -n || true
    done
    started_beside+=("$2")
    {
        (alone "$1" "$2" "$out.counts") >"$out" 2>&1 || true
        cat "$out"
    } &
}

# In a subshell: its counts and its shop are its own.
alone() {
    passed=0 failed=0 shop=
    trap '[[ -z $shop ]] || shop_down' EXIT
    "$1" "$2"
    say "$passed $failed" >"$3"
}

gather() {
    local id ok not_ok
    wait
    for id in "${started_beside[@]}"; do
        if read -r ok not_ok 2>/dev/null <"$state/log/test/$id.out.counts"; then
            passed=$((passed + ok))
            failed=$((failed + not_ok))
        else
            failed=$((failed + 1))
            printf '%-44s ended early; see %s\n' "$id" "$state/log/test/$id.out"
        fi
    done
    started_beside=()
}

run_e2e() {
    local id=$1 flavour=${1%%/*} file=$clone/tests/${1#*/}.py
    test_shop "$id" "$file"
    suite_environment
    SOKO_EXCHANGES=$state/log/test/$flavour/exchanges.jsonl \
        suite "$id" /usr/bin/python3 -B "$file"
    test_shop_end "$id"
}

cmd_test() {
    local chosen=() id name at_once=1 started_beside=()
    if [[ ${1:-} == --list ]]; then
        list_suites
        return
    fi
    if [[ ${1:-} == -j ]]; then
        [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "test -j N: so many end-to-end suites at once"
        at_once=$2
        shift 2
    fi
    while read -r id; do
        (($# > 0)) || chosen+=("$id")
        for name in "$@"; do
            [[ $id == *"$name"* ]] && chosen+=("$id") && break
        done
    done < <(list_suites)
    ((${#chosen[@]} > 0)) || die "no suite's name contains $*: ./dev test --list shows them"

    prepare_state
    need_packages "${packages_up[@]}" "${packages_test[@]}"
    exec 8>"$state/test.lock"
    flock -n 8 || die "another ./dev test is at work in this clone"
    end_of_earlier_tests
    rm -rf "$state/log/test"
    trap 'rc=$?; wait; [[ -z ${shop:-} ]] || shop_down; exit $rc' EXIT
    trap 'exit 130' INT TERM

    local flavour began=$SECONDS
    for flavour in "${flavours[@]}"; do
        local integration=()
        for id in "${chosen[@]}"; do
            case $id in
            "$flavour"/unit/*)
                ! need "$flavour" tests ||
                    suite_of_check "$id" "$clone/build/$flavour/tests/${id#*/}"
                ;;
            "$flavour"/fuzz/*)
                ! need "$flavour" tests || suite "$id" "$clone/build/$flavour/tests/${id#*/}"
                ;;
            "$flavour"/integration/*) integration+=("$id") ;;
            esac
        done
        if ((${#integration[@]} > 0)); then
            ! need "$flavour" tests || run_integration "$flavour" "${integration[@]}"
        fi
        for id in "${chosen[@]}"; do
            case $id in
            "$flavour"/e2e/*)
                need "$flavour" programs || continue
                test_template "$flavour"
                beside run_e2e "$id"
                ;;
            esac
        done
        gather
    done
    for id in "${chosen[@]}"; do
        case $id in
        contract)
            need check programs || continue
            use_shop "$state/test/contract" check
            SOKO_CTL="${ctl[0]}" SOKO_EXCHANGES=$state/log/test/check/exchanges.jsonl \
                suite contract /usr/bin/python3 -B tests/contract/check.py
            ;;
        sim/*) suite "$id" /usr/bin/python3 -B "$clone/tests/$id.py" ;;
        floors) suite floors "$clone/tests/floors.sh" ;;
        migrations) suite migrations /usr/bin/python3 -B "$clone/tests/migrations.py" ;;
        systemd_verify)
            need check programs || continue
            suite systemd_verify "$clone/tests/systemd_verify.sh" "$clone/build/check"
            ;;
        hosts) ! need check programs || run_hosts ;;
        site) ! need check programs || run_site ;;
        manifest)
            need check programs || continue
            suite manifest /usr/bin/python3 -B tests/manifest.py "$clone/build/check"
            ;;
        package)
            need check programs || continue
            suite package "$clone/tests/package.sh" "$clone/build/check"
            ;;
        machine) run_machine ;;
        asvs) suite asvs /usr/bin/python3 -B tests/security/asvs.py ;;
        lint) suite lint bash "$self" _lint ;;
        canary) suite canary /usr/bin/python3 -B tests/security/canary.py "$state/log/test" ;;
        distcheck)
            need check programs || continue
            suite distcheck bash "$self" _distcheck
            ;;
        esac
    done
    say "in $((SECONDS - began)) s; logs: $state/log/test/"
    say "$passed passed, $failed failed"
    ((failed == 0 && passed > 0))
}

# A run that was killed may have left its servers.
end_of_earlier_tests() {
    local dir
    for dir in "$state"/test/*/; do
        [[ -d $dir/run ]] || continue
        use_shop "${dir%/}" check
        shop_down
        rm -rf "$shop"
    done
    unset shop
}

cmd__distcheck() {
    as_tap "make distcheck" make -C "$clone/build/check" -j"$(nproc)" distcheck
}
