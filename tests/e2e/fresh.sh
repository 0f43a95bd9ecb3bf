#!/bin/bash
#
# fresh: does ./dev keep its promise on a machine that has nothing? Debian 12 is made by debootstrap
# twice; in one of them root clones the repository, in the other an ordinary user with sudo. Each
# runs ./dev up and ./dev test, then both again in a second clone while the first shop runs. TAP on
# standard output, the logs in the folder that is named first.
#
# Usage, as root: tests/e2e/fresh.sh [--no-test] [--root-only | --user-only] [--keep]
#
# Only what is committed is tested. How to reach the archive is the host's knowledge: its apt
# configuration, certificates and npm settings are copied, none is named here. Mounts and processes
# live in namespaces that end with the script, so nothing stays behind, whatever kills it.

set -euo pipefail
export LC_ALL=C.UTF-8
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)

with_test=yes keep=no users=(root ann)
up_seconds=1200
test_seconds=2700

say() { printf '%s\n' "$*"; }

die() {
    say "Bail out! $*"
    exit 1
}

# --- inside the namespaces: PID 1 of a new machine ------------------------------------------------

number=0 failures=0

# step NAME COMMAND...
step() {
    local name=$1 began=$SECONDS log rc=0
    shift
    number=$((number + 1))
    log=$work/log/$user-$(printf '%02d' "$number").log
    "$@" >"$log" 2>&1 </dev/null || rc=$?
    if ((rc == 0)); then
        say "ok $((offset + number)) - fresh: $user: $name ($((SECONDS - began)) s)"
    else
        failures=$((failures + 1))
        tail -n 25 "$log" | sed 's/^/#   /'
        say "not ok $((offset + number)) - fresh: $user: $name (exit $rc after $((SECONDS - began)) s, $log)"
    fi
}

# in_root SECONDS SCRIPT: as the machine's user, in a login's environment.
in_root() {
    timeout --kill-after=20 "$1" chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        "${pass[@]}" /bin/su - "$user" -w "$(names_of "${pass[@]}")" -c "$2"
}

names_of() {
    local IFS=,
    local names=("${@%%=*}")
    say "${names[*]:-NONE}"
}

inside() {
    user=$1 root=$2 offset=$3
    mount --make-rprivate /
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs -o mode=1777 tmpfs "$root/run"
    mkdir -p "$root/run/lock"
    chmod 1777 "$root/run/lock"

    # What the host's shell knows about reaching the network.
    local name
    pass=()
    for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY \
        NODE_EXTRA_CA_CERTS SSL_CERT_FILE npm_config_registry; do
        [[ ! -v $name ]] || pass+=("$name=${!name}")
    done

    local home twice
    home=$(chroot "$root" /usr/bin/getent passwd "$user" | cut -d: -f6)
    for twice in first second; do
        local at=$home/soko-$twice
        step "$twice clone" in_root 120 "git clone -q /soko.bundle $at"
        step "$twice clone: ./dev up" in_root "$up_seconds" "cd $at && ./dev up"
        step "$twice clone: ./dev up again" in_root 300 "cd $at && ./dev up"
        step "$twice clone: ./dev status" in_root 60 "cd $at && ./dev status"
        [[ $with_test == no ]] ||
            step "$twice clone: ./dev test" in_root "$test_seconds" "cd $at && ./dev test"
    done
    step "the first shop still runs" in_root 60 "cd $home/soko-first && ./dev status"
    step "both go down" in_root 120 "cd $home/soko-first && ./dev down && cd ../soko-second && ./dev down"
    step "nothing is left running" nothing_left
    say "$number $failures" >"$work/$user.result"
}

# In our PID namespace: nobody of PostgreSQL, Redis, nginx, or ours.
nothing_left() {
    ! pgrep -a -f '^(/usr/lib/postgresql|redis-server|nginx:|/.*/soko-(api|jobs))'
}

# --- outside --------------------------------------------------------------------------------------

# The base system, made once and copied for each user.
make_base() {
    local mirror proxy
    mirror=$(sed -nE 's/^URIs: *([^ ]+).*/\1/p; s/^deb +(\[[^]]*\] +)?([^ ]+) +bookworm .*/\2/p' \
        /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | head -n 1 || true)
    [[ -n $mirror ]] || die "the host's apt has no Debian archive"
    proxy=$(apt-config dump --format '%v%n' Acquire::http::Proxy || true)
    [[ -z $proxy ]] || export http_proxy=${http_proxy:-$proxy}
    debootstrap --variant=minbase --include=ca-certificates,git,sudo bookworm "$work/base" "$mirror" \
        >"$work/log/debootstrap.log" 2>&1 || die "debootstrap failed: $work/log/debootstrap.log"

    # The host's way to the archive and the registries.
    local etc=$work/base/etc f
    rm -f "$etc/apt/sources.list"
    for f in /etc/apt/sources.list /etc/apt/sources.list.d/debian*; do
        [[ ! -f $f ]] || cp "$f" "$etc/${f#/etc/}"
    done
    grep -lE 'Acquire|Proxy' /etc/apt/apt.conf.d/* 2>/dev/null | grep -v docker |
        xargs -r cp -t "$etc/apt/apt.conf.d/" || true
    cp -r /etc/apt/keyrings /etc/apt/auth.conf.d "$etc/apt/" 2>/dev/null || true
    cp -r /usr/local/share/ca-certificates/. "$work/base/usr/local/share/ca-certificates/" 2>/dev/null || true
    chroot "$work/base" update-ca-certificates >>"$work/log/debootstrap.log" 2>&1
    cp -L /etc/ssl/certs/ca-certificates.crt "$etc/ssl/certs/ca-certificates.crt"
    cp -L /etc/resolv.conf /etc/hosts "$etc/"
    [[ ! -f /etc/npmrc ]] || cp /etc/npmrc "$etc/"
}

make_root() {
    local user=$1 root=$2 home
    cp -a "$work/base" "$root"
    if [[ $user != root ]]; then
        chroot "$root" useradd --create-home --shell /bin/bash "$user"
        printf '%s ALL=(ALL) NOPASSWD: ALL\n' "$user" >"$root/etc/sudoers.d/$user"
    fi
    home=$(chroot "$root" getent passwd "$user" | cut -d: -f6)
    if [[ -f ~/.npmrc ]]; then
        cp ~/.npmrc "$root$home/.npmrc"
        chroot "$root" chown "$user:" "$home/.npmrc"
    fi
    cp "$work/soko.bundle" "$root/soko.bundle"
    chmod 644 "$root/soko.bundle"
}

if [[ ${1:-} == _inside ]]; then
    work=$2 with_test=$3
    inside "$4" "$5" "$6"
    exit 0
fi

for argument in "$@"; do
    case $argument in
    --no-test) with_test=no ;;
    --root-only) users=(root) ;;
    --user-only) users=(ann) ;;
    --keep) keep=yes ;;
    *) die "usage: fresh.sh [--no-test] [--root-only | --user-only] [--keep]" ;;
    esac
done
((EUID == 0)) || die "fresh.sh needs root, for debootstrap and chroot"
command -v debootstrap >/dev/null || die "debootstrap is missing"

work=$(mktemp -d /var/tmp/soko-fresh-XXXXXX)
mkdir "$work/log"
machine=
say "# logs: $work/log"
cleanup() {
    local rc=$?
    ((rc == 0)) || say "# fresh.sh ends with status $rc"
    # PID 1 of a namespace takes all its processes with it.
    if [[ -n $machine ]]; then
        kill -KILL "$machine" 2>/dev/null || true
        wait "$machine" 2>/dev/null || true
    fi
    # The namespaces took their mounts with them; --one-file-system is a second lock on the door.
    [[ $keep == yes ]] || rm -rf --one-file-system "$work/base" "$work"/root-*
}
trap cleanup EXIT
trap 'exit 130' INT TERM

git -C "$repo" bundle create -q "$work/soko.bundle" HEAD "$(git -C "$repo" symbolic-ref HEAD)"
make_base
total=0 failed=0
for user in "${users[@]}"; do
    root=$work/root-$user
    make_root "$user" "$root"
    unshare --mount --pid --fork --kill-child --mount-proc \
        bash "$repo/tests/e2e/fresh.sh" _inside "$work" "$with_test" "$user" "$root" "$total" &
    machine=$!
    wait "$machine" || true
    machine=
    read -r n f <"$work/$user.result" || die "the run as $user did not end by itself"
    total=$((total + n))
    failed=$((failed + f))
    [[ $keep == yes ]] || rm -rf --one-file-system "$root"
done
say "1..$total"
((failed == 0))
