# Part of ./dev, which sources it; the variables and small functions are dev's.
# shellcheck shell=bash disable=SC2154,SC2034,SC2164

# --- the simulator --------------------------------------------------------------------------------
#
# soko-sim plays Stripe, Daraja, Africa's Talking, an OAuth2 server and a mail server for one shop. It
# listens on two ports of 127.0.0.1 and demands the credentials that the shop has.

# Secrets between a shop and its simulator, made once as NAME=value lines: the shop's configuration
# and the simulator read the same ones.
sim_secrets() {
    local kept=$shop/conf/sim-secrets old='' pair name
    old=$(cat "$kept" 2>/dev/null || true)
    for pair in STRIPE_SECRET_KEY=sk_test_ STRIPE_WEBHOOK_SECRETS=whsec_ DARAJA_CONSUMER_KEY= \
        DARAJA_CONSUMER_SECRET= DARAJA_PASSKEY= DARAJA_INITIATOR_PASSWORD= DARAJA_C2B_TOKEN= \
        AT_API_KEY=atsk_ AT_REPORT_TOKEN= OAUTH2_CLIENT_SECRET=s%/+:; do
        name=${pair%%=*}
        [[ $'\n'$old == *$'\n'"$name="* ]] ||
            old+=${old:+$'\n'}$name=${pair#*=}$(openssl rand -hex 32)
    done
    put 600 "$kept" <<<"$old"

    # What the initiator's password is encrypted with; the simulator looks for the key beside it.
    if [[ ! -s $shop/tls/daraja.pem ]]; then
        quietly certificate openssl req -x509 -newkey rsa:2048 -nodes -days 825 \
            -subj "/CN=soko-sim" -keyout "$shop/tls/key.new" -out "$shop/tls/cert.new"
        put 600 "$shop/tls/daraja.key" <"$shop/tls/key.new"
        put 644 "$shop/tls/daraja.pem" <"$shop/tls/cert.new"
        rm "$shop/tls/key.new" "$shop/tls/cert.new"
    fi
}

# The two ports, chosen before the shop's configuration is written: those it has, or free ones.
sim_ports() {
    local name port
    for name in sim.port sim.smtp; do
        port=$(cat "$shop/run/$name" 2>/dev/null || true)
        if [[ -z $port ]] || { ! alive sim && ! port_free "$port"; }; then
            port_any >"$shop/run/$name"
        fi
    done
}

sim_url() { say "http://127.0.0.1:$(<"$shop/run/sim.port")"; }

# NAME=value for each setting that makes a shop talk to its simulator. Its OAuth2 server is asked with
# TOKEN_ISSUER=oauth2 alone; client and secret hold what Basic must encode.
sim_settings() {
    cat "$shop/conf/sim-secrets"
    cat <<END
PUBLIC_URL=https://localhost:$(<"$shop/run/port")
STRIPE_API_BASE=$(sim_url)
DARAJA_BASE_URL=$(sim_url)
DARAJA_SHORTCODE=174379
DARAJA_INITIATOR=testapi
DARAJA_CERTIFICATE=$shop/tls/daraja.pem
DARAJA_ADDRESSES=127.0.0.1,::1
AT_BASE_URL=$(sim_url)
AT_USERNAME=sandbox
OAUTH2_TOKEN_URL=$(sim_url)/oauth2/token
OAUTH2_INTROSPECT_URL=$(sim_url)/admin/oauth2/introspect
OAUTH2_REVOKE_URL=$(sim_url)/oauth2/revoke
OAUTH2_CLIENT_ID=soko+shop
SMTP_URL=smtp://127.0.0.1:$(<"$shop/run/sim.smtp")
MAIL_FROM=shop@example.com
END
}

# Starts the simulator, or leaves the one that runs if nothing of it has changed: what it knows is in
# its memory. Fails if somebody else has taken a port since it was chosen.
shop_sim() {
    local sum f
    sum=$({
        cat "$clone"/tests/sim/soko-sim "$clone"/tests/sim/soko_sim/*.{py,html}
        grep -E '^(AT|DARAJA|OAUTH|STRIPE)[A-Z0-9]*_' "$shop/conf/soko.conf"
        cat "$shop/run/port"
    } | sha256sum)
    if alive sim; then
        [[ $(cat "$shop/run/sim.sum" 2>/dev/null) != "$sum" ]] || return 0
        stop sim TERM 5
    fi
    rm -rf "$shop/sim"
    folder 700 "$shop/sim" "$shop/sim/soko_sim" # the servers' user may not be able to enter the clone
    put 700 "$shop/sim/soko-sim" <"$clone/tests/sim/soko-sim"
    for f in "$clone"/tests/sim/soko_sim/*.{py,html}; do
        put 600 "$shop/sim/soko_sim/${f##*/}" <"$f"
    done
    : >"$shop/log/sim.log" # what it says from here on is about this start
    start sim /usr/bin/python3 -B "$shop/sim/soko-sim" --port "$(<"$shop/run/sim.port")" \
        --smtp-port "$(<"$shop/run/sim.smtp")" --shop "https://localhost:$(<"$shop/run/port")" \
        --ca "$shop/tls/cert.pem" --config "$shop/conf/soko.conf"
    wait_for 30 "word of soko-sim" sim_settled || die "soko-sim does not start: $shop/log/sim.log"
    if ! alive sim; then
        grep -q 'Address already in use' "$shop/log/sim.log" ||
            die "soko-sim does not start: $(tail -n 3 "$shop/log/sim.log")"
        rm -f "$shop/run/sim.port" "$shop/run/sim.smtp"
        return 1
    fi
    say "$sum" >"$shop/run/sim.sum"
}

sim_settled() { ! alive sim || grep -q '"listening"' "$shop/log/sim.log"; }

# shop_conf_and_sim NAME=VALUE...: the shop's configuration, and the simulator that it names.
shop_conf_and_sim() {
    sim_secrets
    sim_ports
    shop_conf "$@"
    while ! shop_sim; do # another shop was faster
        sim_ports
        shop_conf "$@"
    done
}

# For nginx, in shops of ./dev alone: the page of phones and messages, and the control calls. The page
# is one file with its own script and style.
sim_location() {
    cat <<END

location = /sim {
    return 308 /sim/;
}
location ^~ /sim/ {
    access_log off; # its paths name prompts by ids that hold a phone number
    proxy_pass $(sim_url);
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    add_header Content-Security-Policy "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    add_header X-Content-Type-Options nosniff;
    add_header Cache-Control no-store;
    client_max_body_size 64k;
}
END
}
