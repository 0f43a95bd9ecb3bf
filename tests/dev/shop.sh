# Part of ./dev, which sources it; the variables and small functions are dev's.
# shellcheck shell=bash disable=SC2154,SC2034,SC2164

# --- processes ------------------------------------------------------------------------------------

# When a process started, in ticks since boot: with the pid, its identity. Nothing for a zombie.
started() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # The name in brackets may hold anything; what follows it does not.
    read -r -a stat <<<"${stat##*) }"
    [[ ${stat[0]} != Z ]] && say "${stat[19]}"
}

# Whether the server of that name in this shop is alive, and still the one that was started.
alive() {
    local pid
    [[ -s $shop/run/$1.pid && -s $shop/run/$1.start ]] || return 1
    pid=$(<"$shop/run/$1.pid")
    [[ $(started "$pid") == "$(<"$shop/run/$1.start")" ]]
}

# start NAME COMMAND...: in a session of its own, so that Ctrl-C here does not reach it. What was
# started is kept as a command line too: `./dev _start SHOP NAME` repeats it, for tests that kill.
start() {
    local name=$1
    shift
    printf '%q ' "$@" >"$shop/run/$name.cmd"
    # nginx writes its pid file too, so the file is its user's, and is so before nginx comes.
    put 644 "$shop/run/$name.pid" </dev/null
    (exec_as_user setsid "$@") </dev/null >>"$shop/log/$name.log" 2>&1 8>&- 9>&- &
    local pid=$!
    disown "$pid"
    say "$pid" >"$shop/run/$name.pid"
    started "$pid" >"$shop/run/$name.start" || true
}

# stop NAME SIGNAL [SECONDS]: gracefully if it can, by SIGKILL if not.
stop() {
    local name=$1 signal=$2 seconds=${3:-20} pid
    if alive "$name"; then
        pid=$(<"$shop/run/$name.pid")
        kill -"$signal" "$pid" 2>/dev/null || true
        kill -CONT "$pid" 2>/dev/null || true
        if ! wait_for "$seconds" "end of $name" dead "$name"; then
            ! alive "$name" || kill -KILL "$pid" 2>/dev/null || true
            wait_for 5 "end of $name by SIGKILL" dead "$name" || true
        fi
    fi
    rm -f "$shop/run/$name".{pid,start,cmd}
}

dead() { ! alive "$1"; }

# --- a shop ---------------------------------------------------------------------------------------

pools=(fast hash wire)

# use_shop DIR FLAVOUR: the shop that the functions below work on.
use_shop() {
    shop=$1
    inst=$state/inst/$2
    api=$inst/libexec/soko/soko-api
    jobs=$inst/libexec/soko/soko-jobs
    ctl=("$inst/sbin/sokoctl" --config "$shop/conf/owner.conf")
    # A socket's path has 107 bytes; PostgreSQL's needs 21 of them for its name and lock.
    sockets=$shop/run
    if ((${#sockets} > 80)); then
        sockets=${XDG_RUNTIME_DIR:-/tmp}/soko-$(printf '%s' "$shop" | sha256sum | cut -c1-12)
    fi
}

shop_folders() {
    folder 700 "$shop" "$shop"/{run,log,conf,tls,pg,redis,nginx,media,metrics,fault,backups}
    [[ $sockets == "$shop/run" ]] && return
    [[ ! -e $sockets || -O $sockets ]] || die "$sockets belongs to somebody else"
    folder 700 "$sockets"
}

# What nobody may guess is made once and stays.
shop_secrets() {
    [[ -s $shop/conf/token_key ]] ||
        openssl rand -hex 32 | put 600 "$shop/conf/token_key"
    [[ -s $shop/conf/data_key ]] ||
        openssl rand -hex 32 | put 600 "$shop/conf/data_key"
    if [[ ! -s $shop/tls/cert.pem ]]; then
        quietly certificate openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
            -nodes -days 825 -subj "/CN=localhost" \
            -addext "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1" \
            -keyout "$shop/tls/key.new" -out "$shop/tls/cert.new"
        put 600 "$shop/tls/key.pem" <"$shop/tls/key.new"
        put 644 "$shop/tls/cert.pem" <"$shop/tls/cert.new"
        rm "$shop/tls/key.new" "$shop/tls/cert.new"
    fi
}

database_url() { say "postgresql://$1@/soko?host=$sockets"; }

# shop_conf NAME=VALUE...: the shop's configuration; what is given wins.
shop_conf() {
    local -A setting=(
        [SOKO_ENV]=demo
        [DATABASE_URL]=$(database_url soko_app)
        [REDIS_ADDRESS]=unix:$sockets/redis.sock
        [TOKEN_KEY]=$(<"$shop/conf/token_key")
        [DATA_KEY]=$(<"$shop/conf/data_key")
        [SQL_DIR]=$inst/share/soko/sql
        [MESSAGES_DIR]=$inst/share/soko/messages
        [MEDIA_DIR]=$shop/media
        [METRICS_DIR]=$shop/metrics
        [NGINX_DIR]=$shop/nginx
        [NGINX_TEMPLATES]=$inst/share/soko/nginx
        [NGINX_CACHE]=$shop/nginx/cache
        [NGINX_ACCESS_LOG]=$shop/log/nginx-access.log
        [NGINX_ERROR_LOG]=$shop/log/nginx-error.log
        [NGINX_LISTEN]="127.0.0.1:$(<"$shop/run/port"),[::1]:$(<"$shop/run/port")"
        [NGINX_LISTEN_HTTP]=""
        [TLS_CERTIFICATE]=$shop/tls/cert.pem
        [TLS_CERTIFICATE_KEY]=$shop/tls/key.pem
        [SOCKET_DIR]=$sockets
        [DOCS_DIR]=$shop/docs
        [BACKUP_DIR]=$shop/backups
    )
    local pair name more
    mapfile -t more < <(sim_settings)
    for pair in "${more[@]}" "$@"; do
        setting[${pair%%=*}]=${pair#*=}
    done
    for name in "${!setting[@]}"; do
        printf '%s=%s\n' "$name" "${setting[$name]}"
    done | sort >"$shop/conf/new"
    put 600 "$shop/conf/soko.conf" <"$shop/conf/new"
    # sokoctl migrates, so it acts as the owner.
    sed "s|^DATABASE_URL=.*|DATABASE_URL=$(database_url soko_owner)|" "$shop/conf/new" |
        put 600 "$shop/conf/owner.conf"
    rm "$shop/conf/new"
}

pg_bin() { say /usr/lib/postgresql/15/bin; }

make_cluster() {
    quietly initdb as_user "$(pg_bin)/initdb" -D "$1" -U postgres -A trust -E UTF8 \
        --locale=C.UTF-8 --no-instructions --no-sync
}

# PostgreSQL listens on a socket alone, in a folder that nobody else may enter: that is its
# authentication. FSYNC=off is for tests, which survive anything but a crash of the machine.
shop_postgres() {
    local fsync=$1
    [[ -s $shop/pg/PG_VERSION ]] || make_cluster "$shop/pg"
    if ! alive postgres; then
        rm -f "$shop/pg/postmaster.pid"
        start postgres "$(pg_bin)/postgres" -D "$shop/pg" -c listen_addresses= \
            -c unix_socket_directories="$sockets" -c unix_socket_permissions=0700 \
            -c max_connections=200 -c log_error_verbosity=terse \
            -c log_min_error_statement=panic -c fsync="$fsync" \
            -c log_line_prefix='%m [%p] %q%u/%a ' -c timezone=UTC -c log_timezone=UTC
    fi
    wait_for 60 PostgreSQL "$(pg_bin)/pg_isready" -q -h "$sockets" -U postgres ||
        die "PostgreSQL does not start: $shop/log/postgres.log"
    "$(pg_bin)/psql" -X -q -v ON_ERROR_STOP=1 -h "$sockets" -U postgres -d postgres <<'SQL'
SELECT format('CREATE ROLE %I LOGIN', r) FROM unnest(ARRAY['soko_owner', 'soko_app']) AS r
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) \gexec
SELECT 'CREATE DATABASE soko OWNER soko_owner'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'soko') \gexec
SQL
}

shop_redis() {
    alive redis || start redis redis-server --port 0 --unixsocket "$sockets/redis.sock" \
        --unixsocketperm 700 --save '' --appendonly no --daemonize no --dir "$shop/redis"
    wait_for 30 Redis redis-cli -s "$sockets/redis.sock" ping ||
        die "Redis does not start: $shop/log/redis.log"
}

# A shop of a test was copied from one that has it (suites.sh, test_template).
shop_schema() {
    [[ ! -e $shop/conf/has-schema ]] || return 0
    quietly migrate as_user "${ctl[@]}" migrate up
    quietly demo as_user "${ctl[@]}" demo load --accounts "$shop/conf/demo-accounts"
    awk '$1 == "admin" { print $2, $3; exit }' "$shop/conf/demo-accounts" | put 600 "$shop/admin"
}

# The pools. A running pool is replaced if its program has changed: the new one listens under a
# second name, takes over the first by a rename, and only then the old one is told to finish.
shop_pool() {
    local pool=$1 name=soko-api-$1 sum new=
    sum=$(sha256sum <"$api")
    if alive "$name"; then
        [[ $(cat "$shop/run/$name.sum" 2>/dev/null) != "$sum" ]] || return 0
        new=.new
    fi
    rm -f "$sockets/$pool.sock$new"
    start "$name$new" spawn-fcgi -n -s "$sockets/$pool.sock$new" -M 0660 -b 4096 -- \
        "$api" --config "$shop/conf/soko.conf" --pool "$pool"
    wait_for 20 "socket of pool $pool" test -S "$sockets/$pool.sock$new" ||
        die "pool $pool does not start: $shop/log/$name$new.log"
    if [[ -n $new ]]; then
        mv "$sockets/$pool.sock$new" "$sockets/$pool.sock"
        stop "$name" TERM
        sed -i "s|/$pool.sock$new |/$pool.sock |" "$shop/run/$name$new.cmd"
        local f
        for f in pid start cmd; do
            mv "$shop/run/$name$new.$f" "$shop/run/$name.$f"
        done
    fi
    say "$sum" >"$shop/run/$name.sum"
}

shop_jobs() {
    local sum
    sum=$(sha256sum <"$jobs")
    if alive jobs; then
        [[ $(cat "$shop/run/jobs.sum" 2>/dev/null) != "$sum" ]] || return 0
        stop jobs TERM
    fi
    start jobs "$jobs" --config "$shop/conf/soko.conf"
    say "$sum" >"$shop/run/jobs.sum"
}

# nginx's configuration: a main file for an unprivileged user, what a shop with a simulator adds, and
# the site, as sokoctl writes it in production.
write_nginx() {
    local etc=$shop/nginx
    folder 755 "$etc/soko"
    sed -e "s|@STATE_DIR@|$shop|g" -e "s|@WORKERS@|$(nproc)|g" "$clone/nginx/nginx-dev.conf.in" |
        put 644 "$etc/nginx.conf"
    sim_location | put 644 "$etc/soko/local.conf"
    quietly nginx-write as_user "${ctl[@]}" nginx write
}

# The documentation: our pages, the API reference as an OpenAPI document, and its viewer, which npm
# fetches once for all shops of this clone, one after another. Without npm's registry the pages go
# without the viewer.
shop_docs() {
    local docs=$state/docs json=$shop/nginx/openapi.json
    "${ctl[@]}" openapi >"$json"
    rm -rf "$shop/docs"
    {
        flock 7
        if ! "$clone/nginx/docs/assemble.sh" "$docs" "$json" >"$state/log/docs.log" 2>&1; then
            say "note: no viewer for the API reference (npm failed: $state/log/docs.log)"
        fi
        cp -r "$docs" "$shop/docs"
    } 7>"$state/docs.lock"
    cp "$clone"/nginx/docs/*.{html,css,js,svg} "$shop/docs/"
    cp "$json" "$shop/docs/openapi.json"
    chmod -R u=rwX,go=rX "$shop/docs"
    ((EUID != 0)) || chown -R "$user:" "$shop/docs"
}

# Sets port_taken if somebody else has taken the port since it was chosen.
shop_nginx() {
    port_taken=no
    shop_docs
    write_nginx
    if alive nginx; then
        kill -HUP "$(<"$shop/run/nginx.pid")"
        return
    fi
    : >"$shop/log/nginx.log" # what it says from here on is about this start
    start nginx nginx -p "$shop/nginx/" -c "$shop/nginx/nginx.conf" \
        -e "$shop/log/nginx-error.log" -g 'daemon off;'
    wait_for 60 "word of nginx" nginx_settled || die "nginx does not start: $shop/log/nginx.log"
    if nginx_gave_up; then
        grep -q 'Address already in use' "$shop/log/nginx.log" ||
            die "nginx does not start: $(tail -n 3 "$shop/log/nginx.log")"
        port_taken=yes
        stop nginx QUIT 5
    fi
}

nginx_gave_up() { grep -Eq 'still could not bind|\[emerg\].* in [^ ]+:[0-9]+$' "$shop/log/nginx.log"; }

nginx_settled() { nginx_gave_up || ask /health; }

# ask PATH: the answer of the shop, through nginx and TLS.
ask() {
    curl -sS --fail --max-time 10 --noproxy '*' --cacert "$shop/tls/cert.pem" \
        "https://localhost:$(<"$shop/run/port")$1"
}

# shop_up PORT FSYNC NAME=VALUE...: from nothing, or from whatever is there, to a shop that is ready; or
# to port_taken=yes, and all but nginx running.
shop_up() {
    local port=$1 fsync=$2 changed=no old
    shift 2
    shop_folders
    shop_secrets
    say "$port" >"$shop/run/port"
    old=$(cat "$shop/conf/soko.conf" 2>/dev/null || true)
    shop_conf_and_sim "$@"
    [[ $old == "$(<"$shop/conf/soko.conf")" ]] || changed=yes
    shop_postgres "$fsync"
    shop_redis
    shop_schema
    local pool
    for pool in "${pools[@]}"; do
        shop_pool "$pool"
    done
    shop_jobs
    # Whoever was running before takes the new settings by SIGHUP.
    if [[ $changed == yes && -n $old ]]; then
        for pool in "${pools[@]}"; do
            kill -HUP "$(<"$shop/run/soko-api-$pool.pid")"
        done
        kill -HUP "$(<"$shop/run/jobs.pid")"
    fi
    shop_nginx
    [[ $port_taken == no ]] || return 0
    wait_for 60 "answer of https://localhost:$port/ready" ask /ready ||
        die "the shop is not ready; its logs: $shop/log/"
}

# Front to back, so that nothing that still runs misses what it needs.
shop_down() {
    local pool
    stop nginx QUIT 5
    for pool in "${pools[@]}"; do
        stop "soko-api-$pool" TERM
        stop "soko-api-$pool.new" TERM
    done
    stop jobs TERM
    stop sim TERM 5
    stop redis TERM
    stop postgres INT
}
