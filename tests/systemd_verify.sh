#!/bin/sh
# systemd_verify.sh [BUILD]: holds what a build made of systemd/ against systemd's own tools. TAP on
# stdout. BUILD is a build tree, build/check of this clone if it is not given.
#
# systemd-analyze verify must print nothing for any unit, and say of each service that its exposure
# is 1.5 at most; systemd-sysusers and systemd-tmpfiles must make the users and folders, in a root
# folder of ours. The programs that the units name are not installed here: stubs take their place.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "${1:-$top/build/check}" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

most=15 # tenths

mkdir -p "$dir/units"
ln -s /bin/true "$dir/stub"
for file in "$build"/systemd/*.service "$build"/systemd/*.socket "$build"/systemd/*.target \
    "$build"/systemd/*.timer; do
    sed -E "s|^(Exec[A-Za-z]*=)/[^ ]*/(soko-api\|soko-jobs\|sokoctl)( \|\$)|\1$dir/stub\3|" "$file" \
        >"$dir/units/$(basename "$file")"
done

units=
services=
for file in "$dir"/units/*; do
    unit=$(basename "$file")
    case $unit in
    *@.*) names="${unit%@.*}@fast.${unit##*.} ${unit%@.*}@hash.${unit##*.} ${unit%@.*}@wire.${unit##*.}" ;;
    *) names=$unit ;;
    esac
    units="$units $names"
    case $unit in *.service) services="$services $names" ;; esac
done
# shellcheck disable=SC2086
set -- $units

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

# shellcheck disable=SC2086
echo "1..$((5 + $# + $(echo $services | wc -w)))"

# What comes of each template, so that a unit that nobody builds is found.
for template in "$top"/systemd/*.service.in "$top"/systemd/*.socket.in "$top"/systemd/*.target.in \
    "$top"/systemd/*.timer.in; do
    unit=$(basename "$template" .in)
    case $unit in
    soko-api-tcp@.socket) unit='soko-api-tcp@fast.socket' ;;
    esac
    [ -e "$dir/units/$unit" ] || echo "$unit is not made in $build/systemd"
done >"$dir/out"
report "every template is made into a unit" "$dir/out"

grep -Hn '@[A-Za-z_]*@' "$dir"/units/* "$build"/systemd/*/soko.conf >"$dir/out" || true
report "every placeholder is filled in" "$dir/out"

# What a unit starts exists under that name in the tree that was built.
grep -hoE '^Exec[A-Za-z]*=[^ ]*/(soko-[a-z]+|sokoctl)( |$)' "$build"/systemd/*.service |
    sed 's|.*/||' | sort -u | while read -r program; do
    [ -x "$build/$program" ] || echo "$program is no program of $build"
done >"$dir/out"
report "every program that a unit starts is one that we build" "$dir/out"

for unit; do
    # The colon: our units first, then the system's, to which ours refer.
    SYSTEMD_UNIT_PATH="$dir/units:" systemd-analyze verify --man=no "$unit" >"$dir/out" 2>&1 ||
        echo "systemd-analyze verify: exit status $?" >>"$dir/out"
    report "systemd-analyze verify $unit" "$dir/out"
done

for unit in $services; do
    SYSTEMD_UNIT_PATH="$dir/units:" systemd-analyze security --offline=yes --no-pager --threshold=$most \
        "$unit" >"$dir/all" 2>&1 && rc=0 || rc=$?
    said=$(sed -n 's/^.*Overall exposure level for [^:]*: \([0-9.]*\) .*/\1/p' "$dir/all")
    {
        [ "$rc" -eq 0 ] || echo "systemd-analyze security: exit status $rc"
        [ -n "$said" ] || echo "no exposure level was told"
    } >"$dir/out"
    [ ! -s "$dir/out" ] || grep -v '✓' "$dir/all" >>"$dir/out"
    report "systemd-analyze security $unit: ${said:-?}, at most $((most / 10)).$((most % 10))" "$dir/out"
done

# Users and folders, in a root of ours, which has the users that every Debian has.
mkdir -p "$dir/root/etc" "$dir/root/run" "$dir/root/var"
printf 'root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/false\n' >"$dir/root/etc/passwd"
printf 'root:x:0:\nwww-data:x:33:\n' >"$dir/root/etc/group"
: >"$dir/out"
systemd-sysusers --root="$dir/root" "$build/systemd/sysusers/soko.conf" >"$dir/all" 2>&1 ||
    cat "$dir/all" >"$dir/out"
for user in soko soko-owner; do
    grep -q "^$user:.*:/usr/sbin/nologin$" "$dir/root/etc/passwd" || echo "no user $user" >>"$dir/out"
    grep -q "^$user:" "$dir/root/etc/group" || echo "no group $user" >>"$dir/out"
done
report "systemd-sysusers makes the users of the units" "$dir/out"

# Only root may give folders away: what else it says is a fault for everybody.
: >"$dir/out"
systemd-tmpfiles --root="$dir/root" --create "$build/systemd/tmpfiles/soko.conf" >"$dir/all" 2>&1 || {
    if [ "$(id -u)" -eq 0 ] || grep -v 'Operation not permitted' "$dir/all" | grep -q .; then
        cat "$dir/all" >"$dir/out"
    fi
}
while read -r type path mode _; do
    case $type in
    d)
        got=$(stat -c %a "$dir/root$path" 2>/dev/null || echo none)
        [ "0$got" = "$mode" ] || echo "$path has mode $got, not $mode" >>"$dir/out"
        ;;
    esac
done <"$build/systemd/tmpfiles/soko.conf"
report "systemd-tmpfiles makes the folders" "$dir/out"

exit $failed
