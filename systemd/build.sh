#!/bin/sh
# build.sh SRCDIR DISTDIR VERSION: makes the Debian package, for `make deb`. DISTDIR is a
# copy of what the tarball holds; the package and what belongs to it appear beside it, and the path
# of the package is the last line.
#
#     soko_VERSION_ARCH.deb       the package
#     soko-dbgsym_...deb          its debugging symbols
#     soko_..._ARCH.buildinfo     the list of ingredients: each package and version it was built with
#     soko_..._ARCH.changes       their sums
#
# Built from a git tree the version says which commit, and grows from commit to commit; from a tarball
# it is the plain one, which comes after all of them. The viewer of the API reference comes from npm,
# once for a build tree; without npm or its registry the package is made without the viewer, and
# this says so.
set -eu

if [ $# -ne 3 ]; then
    echo "usage: build.sh SRCDIR DISTDIR VERSION" >&2
    exit 64
fi
src=$1
dist=$(cd "$2" && pwd)
version=$3
out=$(dirname "$dist")

# Only if it is the top of a git tree: a tarball may be unpacked inside of one.
ours() { git -c safe.directory='*' -C "$src" "$@" 2>/dev/null; }
if [ "$(ours rev-parse --show-prefix || echo no)" = "" ]; then
    count=$(ours rev-list --count HEAD)
    if [ "$(ours rev-parse --is-shallow-repository)" = true ]; then
        echo "make deb: the clone is shallow, and its commits cannot be counted, so the package's number is" >&2
        echo "make deb: lower than any other's; for one to install: git fetch --unshallow" >&2
        count=0
    fi
    version=$version~git$count.$(ours rev-parse --short=8 HEAD)
    [ -z "$(ours status --porcelain --untracked-files=no)" ] || version=$version.dirty
    when=$(ours log -1 --format=%cD)
else
    when=$(date -uR -r "$src/configure.ac")
fi

package=$out/soko_${version}_$(dpkg --print-architecture).deb
case $version in
*.dirty) ;;
*~git*)
    # A commit is built once.
    if [ -e "$package" ]; then
        echo "$package"
        exit 0
    fi
    ;;
esac

missing=$(dpkg-checkbuilddeps "$dist/systemd/debian/control" 2>&1) || {
    echo "make deb: $missing" >&2
    exit 1
}

rm -rf "$dist/debian"
cp -r "$dist/systemd/debian" "$dist/debian"
cat >"$dist/debian/changelog" <<END
soko ($version) unstable; urgency=medium

  * The commits say what changed and why.

 -- Soko <soko@example.org>  $when
END

# assemble.sh fetches the viewer if its lock file has changed; this is all that is wanted here.
mkdir -p "$out/docs" "$dist/debian/viewer"
if sh "$src/nginx/docs/assemble.sh" "$out/docs" "$src/nginx/docs/package.json" >"$out/docs.log" 2>&1; then
    cp -r "$out/docs/swagger-ui" "$dist/debian/viewer"
else
    echo "make deb: without the viewer of the API reference, which comes from npm: $out/docs.log" >&2
fi

rm -f "$out"/soko*.deb "$out"/soko*.changes "$out"/soko*.buildinfo
cd "$dist"
if ! DEB_BUILD_OPTIONS="nocheck parallel=$(nproc)" dpkg-buildpackage -b -us -uc >"$out/build.log" 2>&1; then
    tail -n 30 "$out/build.log" >&2
    echo "make deb: failed; all of it: $out/build.log" >&2
    exit 1
fi
rm -rf "$dist"
echo "$package"
