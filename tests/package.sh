#!/bin/sh
# package.sh BUILD: builds the Debian package in a build tree, and holds it against lintian and against
# what it promises. TAP on stdout. tests/machine installs it.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "${1:-$top/build/check}" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

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

echo "1..9"

make -s --no-print-directory -C "$build" deb >"$dir/make" 2>&1 || {
    report "make deb" "$dir/make"
    exit 1
}
deb=$(tail -n 1 "$dir/make")
: >"$dir/out"
[ -s "$deb" ] || echo "make deb ended with '$deb', which is no file" >"$dir/out"
report "make deb says where the package is" "$dir/out"
echo "# $deb"

version=$(dpkg-deb -f "$deb" Version)
arch=$(dpkg-deb -f "$deb" Architecture)
: >"$dir/out"
for file in "soko-dbgsym_${version}_$arch.deb" "soko_${version}_$arch.buildinfo" "soko_${version}_$arch.changes"; do
    [ -s "$(dirname "$deb")/$file" ] || echo "no $file" >>"$dir/out"
done
grep -q '^ libpq-dev (= ' "$(dirname "$deb")/soko_${version}_$arch.buildinfo" ||
    echo "the list of ingredients lacks libpq-dev and its version" >>"$dir/out"
report "beside it: debugging symbols, ingredients, sums" "$dir/out"

# From commit to commit it grows, and the release itself comes after them all.
plain=${version%%~git*}
: >"$dir/out"
case $version in
*~git*)
    count=${version#*~git}
    count=${count%%.*}
    for pair in "$plain~git$((count - 1)).ffffffff $version" "$version $plain~git$((count + 1)).00000000" \
        "$version $plain"; do
        # shellcheck disable=SC2086
        set -- $pair
        dpkg --compare-versions "$1" lt "$2" || echo "$1 is not less than $2" >>"$dir/out"
    done
    ;;
esac
report "the version grows from commit to commit: $version" "$dir/out"

: >"$dir/out"
lintian --allow-root --fail-on error "$deb" >"$dir/lintian" 2>&1 || cat "$dir/lintian" >"$dir/out"
report "lintian finds no error" "$dir/out"
sed 's/^/# /' "$dir/lintian"

dpkg-deb -x "$deb" "$dir/root"
dpkg-deb -e "$deb" "$dir/control"

printf '/etc/soko/soko.conf\n' | diff - "$dir/control/conffiles" >"$dir/out" 2>&1 || true
report "soko.conf is all that is configuration" "$dir/out"

# Where it says what it is for: a file for each of these, and folders that it must not own.
: >"$dir/out"
for file in usr/libexec/soko/soko-api usr/libexec/soko/soko-jobs usr/sbin/sokoctl usr/sbin/soko-setup \
    usr/lib/sysusers.d/soko.conf usr/lib/tmpfiles.d/soko.conf lib/systemd/system/soko.target \
    lib/systemd/system/soko-api@.socket usr/share/soko/sql/schema/0000_migrate.up.sql \
    usr/share/soko/messages/welcome.email usr/share/soko/nginx/soko.conf.in usr/share/soko/docs/index.html \
    usr/share/soko/docs/openapi.json; do
    [ -s "$dir/root/$file" ] || echo "no /$file" >>"$dir/out"
done
for path in etc/soko/credentials var run; do
    [ ! -e "$dir/root/$path" ] || echo "/$path is in the package" >>"$dir/out"
done
(cd "$top/systemd" && ls ./*.service.in ./*.target.in ./*.timer.in) | sed 's|^\./||; s|\.in$||' |
    while read -r unit; do
        [ -s "$dir/root/lib/systemd/system/$unit" ] || echo "no unit $unit"
    done >>"$dir/out"
report "everything is where Debian expects it" "$dir/out"

# What a unit starts, and the folders it names, are those of the package.
sed -n 's/^Exec[A-Za-z]*=\(\/[^ ]*\).*/\1/p' "$dir"/root/lib/systemd/system/*.service | sort -u |
    while read -r program; do
        case $program in /bin/sh) continue ;; esac
        [ -x "$dir/root$program" ] || echo "$program is not in the package"
    done >"$dir/out"
grep -hoE 'file:/[^ ]+' "$dir"/root/lib/systemd/system/soko* | sort -u | sed 's/^file://' |
    while read -r page; do
        [ -s "$dir/root$page" ] || echo "$page, a unit's documentation, is not in the package"
    done >>"$dir/out"
report "what the units name is in the package" "$dir/out"

# Hardening, as the build of a package promises it: PIE, bindnow, no executable stack.
for program in libexec/soko/soko-api libexec/soko/soko-jobs sbin/sokoctl; do
    file=$dir/root/usr/$program
    readelf -h "$file" | grep -q 'Type:.*DYN' || echo "$program is not position independent"
    readelf -d "$file" | grep -q 'BIND_NOW' || echo "$program binds late"
    readelf -lW "$file" | grep -q 'GNU_STACK.*RWE' && echo "$program has an executable stack"
    readelf -S "$file" | grep -q '\.debug_info' && echo "$program is not stripped"
done >"$dir/out"
report "the programs are hardened and stripped" "$dir/out"

# Nobody touches data: no maintainer script names a database or removes anything under /var.
: >"$dir/out"
grep -nE 'rm .*/var/(lib|backups)|psql|dropdb|DROP ' "$dir"/control/p* >"$dir/out" || true
report "no maintainer script removes data" "$dir/out"

exit $failed
