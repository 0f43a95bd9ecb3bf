#!/bin/sh
#
# soko-setup: sets a shop up on this machine: keys, the database with its two roles, the services. It
# makes what is missing and overwrites nothing, so it may be run again, also after it was interrupted.
#
# A role's password is written into its credential first, and given to the role then: whenever this
# ends, the next run finds either both, or the password that the role is still to be given. Passwords
# go to psql on its standard input, where no list of processes shows them, and are kept out of
# PostgreSQL's log.
#
# The roles connect over 127.0.0.1 with SCRAM, which Debian's pg_hba.conf allows as it is. Peer
# authentication would need no passwords, but changes in pg_hba.conf and pg_ident.conf, which are not
# ours, and one more user of the system.
set -eu
umask 077
export LC_ALL=C.UTF-8

etc=@sysconfdir@/soko
credentials=$etc/credentials
api=@libexecdir@/soko/soko-api
ctl=@sbindir@/sokoctl
kept=@localstatedir@/lib/soko

usage() {
    cat <<END
usage: soko-setup [--url https://shop.example.com] [--no-start]

Makes what is missing, and overwrites nothing:

  $credentials/   TOKEN_KEY and DATA_KEY, by chance; DATABASE_URL, and the owner's
  PostgreSQL                 roles soko_owner and soko_app, database soko; if PostgreSQL runs on this
                             machine and no DATABASE_URL says that it is elsewhere
  $etc/soko.conf.d/10-setup.conf   PUBLIC_URL, if --url is given

Then it enables and starts soko.target, and says what is left to do.

  --url URL    where the shop is reached from outside, by https
  --no-start   do not enable and start
  --help       this text
END
}

say() { printf 'soko-setup: %s\n' "$*"; }

die() {
    printf 'soko-setup: %s\n' "$*" >&2
    exit 1
}

# --- files ------------------------------------------------------------------------------------------

folder() {
    mode=$1
    shift
    mkdir -p "$@"
    chmod "$mode" "$@"
}

# put FILE MODE: standard input becomes the file, whole or not at all; never if there is one.
put() {
    temp=$(mktemp "$(dirname "$1")/.setup.XXXXXX")
    cat >"$temp"
    chmod "$2" "$temp"
    ln "$temp" "$1" || {
        rm -f "$temp"
        die "$1 cannot be made"
    }
    rm -f "$temp"
    say "made $1"
}

random() { openssl rand -hex "$1"; }

# What a purge of the package kept, if this machine has lost its own.
look_for_kept() {
    [ ! -s "$credentials/TOKEN_KEY" ] || return 0
    for old in "$kept"/credentials.*; do
        [ ! -s "$old/TOKEN_KEY" ] ||
            die "this machine had a shop, whose secrets were kept: cp -a $old/. $credentials" \
                "(or remove $old, if the shop is gone with its database)"
    done
}

# A key that is lost cannot be made again: what it sealed stays sealed.
make_key() {
    [ ! -s "$credentials/$1" ] || return 0
    if [ "$1" = DATA_KEY ] && as_postgres 2>/dev/null soko <<'SQL' | grep -q 1
SELECT 1 FROM audit_chain LIMIT 1;
SQL
    then
        die "the database soko is in use, and $credentials/DATA_KEY is missing, without which its second" \
            "factors and audit log cannot be read: put it back, from a backup, or from another host"
    fi
    random 32 | put "$credentials/$1" 600
}

# --- PostgreSQL --------------------------------------------------------------------------------------

# SQL on standard input, as the superuser; the argument is the database.
as_postgres() {
    (cd / && runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d "$1")
}

postgres_here() {
    command -v psql >/dev/null && getent passwd postgres >/dev/null &&
        as_postgres postgres </dev/null >/dev/null 2>&1
}

# The password in a URL that this program made, for that role; nothing if somebody else made it.
password_in() {
    sed -nE "s|^postgresql://$2:([0-9a-f]{48})@127\.0\.0\.1:[0-9]+/soko\$|\1|p" "$1"
}

# make_role ROLE FILE: its URL with a password, and the role with that password.
make_role() {
    exists=$(as_postgres postgres <<SQL
SELECT 1 FROM pg_roles WHERE rolname = '$1';
SQL
    )
    if [ ! -s "$2" ]; then
        [ -z "$exists" ] ||
            die "PostgreSQL has a role $1, and $2, which should hold its password, is missing: put" \
                "postgresql://$1:PASSWORD@127.0.0.1:$port/soko there, or drop the role"
        printf 'postgresql://%s:%s@127.0.0.1:%s/soko\n' "$1" "$(random 24)" "$port" | put "$2" 600
    fi
    password=$(password_in "$2" "$1")
    if [ -z "$exists" ] && [ -n "$password" ]; then
        as_postgres postgres <<SQL
SET log_statement = none;
SET log_min_duration_statement = -1;
SET log_min_error_statement = panic;
SET password_encryption = 'scram-sha-256';
CREATE ROLE $1 LOGIN PASSWORD '$password';
SQL
        say "made PostgreSQL's role $1"
    fi
}

make_database() {
    found=$(as_postgres postgres <<'SQL'
SELECT 1 FROM pg_database WHERE datname = 'soko';
SQL
    )
    [ -z "$found" ] || return 0
    as_postgres postgres <<'SQL'
CREATE DATABASE soko OWNER soko_owner TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';
REVOKE ALL ON DATABASE soko FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE soko TO soko_app;
-- What an error quotes of a row or statement may be a secret or somebody's address.
ALTER DATABASE soko SET log_error_verbosity = terse;
ALTER DATABASE soko SET log_min_error_statement = panic;
SQL
    say "made PostgreSQL's database soko"
}

# Every worker keeps a connection: four and one a core, 16 for providers, some for jobs and people.
check_connections() {
    most=$(as_postgres postgres <<'SQL'
SHOW max_connections;
SQL
    )
    need=$((5 * $(nproc) + 16 + 20))
    [ "$most" -ge "$need" ] || left "PostgreSQL takes $most connections, and $need may be needed:
      runuser -u postgres -- psql -c 'ALTER SYSTEM SET max_connections = $need'
      systemctl restart postgresql"
}

set_up_database() {
    app=$credentials/DATABASE_URL
    owner=$credentials/owner/DATABASE_URL
    if [ -s "$app" ] && [ -z "$(password_in "$app" soko_app)" ]; then
        say "$app is yours; no database is made here"
        return
    fi
    postgres_here || die "no PostgreSQL runs here: install and start it (apt install postgresql), or put" \
        "the URLs of another machine's into $app and, for migrations, $owner"
    port=$(as_postgres postgres <<'SQL'
SHOW port;
SQL
    )
    make_role soko_owner "$owner"
    make_role soko_app "$app"
    make_database
    check_connections
}

# --- what is left -----------------------------------------------------------------------------------

todo=
left() { todo="$todo
  - $*
"; }

write_url() {
    file=$etc/soko.conf.d/10-setup.conf
    [ -n "$url" ] && [ ! -e "$file" ] || return 0
    put "$file" 644 <<END
# Made by soko-setup. All settings: $etc/soko.conf; files here win.
PUBLIC_URL=$url
END
}

check_url() {
    now=$("$ctl" --config "$etc/soko.conf" config PUBLIC_URL)
    if [ -n "$url" ] && [ "$now" != "$url" ]; then
        left "PUBLIC_URL is '$now', and stays so: change it in $etc"
    elif [ -z "$now" ]; then
        left "Say where the shop is reached: soko-setup --url https://shop.example.com"
    fi
}

# --- main -------------------------------------------------------------------------------------------

url=
start=yes
while [ $# -gt 0 ]; do
    case $1 in
    --url)
        [ $# -ge 2 ] || die "--url needs a value"
        url=$2
        shift
        ;;
    --url=*) url=${1#--url=} ;;
    --no-start) start=no ;;
    --help)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 64
        ;;
    esac
    shift
done
case $url in
'') ;;
https://*[!A-Za-z0-9.:-]* | https://) die "--url is https://, a name, and nothing behind it: https://shop.example.com" ;;
https://*) ;;
*) die "--url begins with https://" ;;
esac
[ "$(id -u)" -eq 0 ] || die "this needs root"
getent passwd soko >/dev/null || die "there is no user soko: systemd-sysusers soko.conf makes it"

folder 755 "$etc" "$etc/soko.conf.d"
folder 700 "$credentials" "$credentials/owner"
look_for_kept
set_up_database
make_key TOKEN_KEY
make_key DATA_KEY
write_url
CREDENTIALS_DIRECTORY=$credentials "$api" --check --config "$etc/soko.conf" >/dev/null ||
    die "the settings are not good yet; see above, $etc/soko.conf and $credentials"
check_url

if [ -d /run/systemd/system ] && [ "$start" = yes ]; then
    systemctl daemon-reload
    if [ -e "$credentials/owner/DATABASE_URL" ] && ! systemctl start soko-migrate.service; then
        die "the database could not be brought up to date: journalctl -u soko-migrate"
    fi
    systemctl enable --quiet soko.target
    systemctl start soko.target
    for unit in soko-api@fast soko-api@hash soko-api@wire soko-jobs; do
        systemctl --quiet is-active "$unit.service" || die "$unit does not run: journalctl -u $unit"
    done
    say "the shop runs: systemctl status soko.target 'soko-*'"
else
    left "Start it: systemctl enable --now soko.target"
fi

[ -e /etc/nginx/sites-enabled/soko ] || left "Open its door: name the certificate in $etc/soko.conf.d (TLS_CERTIFICATE,
      TLS_CERTIFICATE_KEY), then
      sokoctl nginx write && ln -s ../sites-available/soko /etc/nginx/sites-enabled/soko
      nginx -t && systemctl reload nginx"
left "Make the first administrator, whose password is read from standard input:
      sokoctl user create --role admin --email you@example.com --name You --password-stdin"
left "Keep a copy of $credentials elsewhere: without DATA_KEY second factors and
      the audit log cannot be read"
printf '\nWhat is left to do (@pkgdatadir@/docs/install.html says more):\n%s' "$todo"
