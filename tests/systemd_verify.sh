#!/bin/sh
# Fills in the unit templates with stub programs and holds them against systemd-analyze verify,
# which must print nothing. TAP on stdout.
#
# The templates are found next to this script, so it runs from anywhere, and from a build tree too.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

mkdir -p "$dir/units" "$dir/libexec/soko"
for program in soko-api soko-jobs; do
    ln -s /bin/true "$dir/libexec/soko/$program"
done
for template in "$top"/systemd/*.in; do
    sed -e "s|@libexecdir@|$dir/libexec|g" -e "s|@sbindir@|$dir/sbin|g" \
        -e "s|@sysconfdir@|/etc|g" "$template" >"$dir/units/$(basename "$template" .in)"
done

set -- soko.target soko-jobs.service
for pool in fast hash wire; do
    set -- "$@" "soko-api@$pool.socket" "soko-api@$pool.service"
done

n=0
failed=0
report() { # DESCRIPTION OUTPUT-FILE: passes if the file is empty
    n=$((n + 1))
    if [ ! -s "$2" ]; then
        echo "ok $n - $1"
        return
    fi
    failed=1
    echo "not ok $n - $1"
    sed 's/^/# /' "$2"
}

echo "1..$(($# + 1))"

grep -Hn '@[a-z_]*@' "$dir"/units/* >"$dir/out" || true
report "every placeholder is filled in" "$dir/out"

for unit; do
    # The colon: our units first, then the system's, to which ours refer.
    SYSTEMD_UNIT_PATH="$dir/units:" systemd-analyze verify --man=no "$unit" >"$dir/out" 2>&1 ||
        echo "systemd-analyze verify: exit status $?" >>"$dir/out"
    report "systemd-analyze verify $unit" "$dir/out"
done
exit $failed
