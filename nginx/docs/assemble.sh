#!/bin/sh
# assemble.sh DEST OPENAPI_JSON: makes the folder that nginx serves under /docs/.
#
#     DEST/*.html *.css *.js *.svg     the pages beside this script
#     DEST/openapi.json                a copy of OPENAPI_JSON
#     DEST/swagger-ui/                 the viewer, from npm, of exactly the locked version
#
# The viewer is fetched only when the lock file has changed since the last time; so run twice it is
# quick, and needs no network. npm's scripts never run. Needs node's npm, 9 or newer.
set -eu

if [ $# -ne 2 ] || [ ! -r "$2" ]; then
    echo "usage: assemble.sh DEST OPENAPI_JSON" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
dest=$1
openapi=$2

fetch_viewer() {
    temp=$(mktemp -d)
    trap 'rm -rf "$temp"' EXIT
    trap 'exit 1' HUP INT TERM
    cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$temp"
    (cd "$temp" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
    from=$temp/node_modules/swagger-ui-dist
    rm -rf "$dest/swagger-ui" "$dest/swagger-ui.new"
    mkdir "$dest/swagger-ui.new"
    for file in swagger-ui.css swagger-ui-bundle.js swagger-ui-bundle.js.LICENSE.txt LICENSE NOTICE; do
        # The maps that the last line of each names are for the viewer's own developers.
        sed '/^\/[/*]# sourceMappingURL=/d' "$from/$file" >"$dest/swagger-ui.new/$file"
    done
    cp "$here/package-lock.json" "$dest/swagger-ui.new/lock.json"
    mv "$dest/swagger-ui.new" "$dest/swagger-ui"
}

mkdir -p "$dest"
cmp -s "$here/package-lock.json" "$dest/swagger-ui/lock.json" || fetch_viewer
cp "$here"/*.html "$here"/*.css "$here"/*.js "$here"/*.svg "$dest"
cp "$openapi" "$dest/openapi.json"
chmod -R u=rwX,go=rX "$dest"
