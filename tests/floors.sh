#!/bin/bash
#
# floors: the rules of the house that a machine can read off the source (DESIGN, section 2). TAP on
# standard output; what breaks a rule is listed before its line, as "# file:line: text".

set -uo pipefail
export LC_ALL=C.UTF-8
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

number=0

# rule NAME COMMAND...: the command prints what breaks the rule; nothing is good.
rule() {
    local name=$1 found
    shift
    number=$((number + 1))
    found=$("$@" 2>&1)
    if [[ -z $found ]]; then
        printf 'ok %d - floors: %s\n' "$number" "$name"
    else
        printf '%s\n' "$found" | sed 's/^/# /'
        printf 'not ok %d - floors: %s\n' "$number" "$name"
    fi
}

c_files() { find fcgi-app -name '*.[ch]' | sort; }

# The C files given, without comments, as "file:line:text".
code() {
    awk '
        FNR == 1 { comment = 0 }
        {
            line = $0; text = ""
            while (line != "") {
                if (comment) {
                    end = index(line, "*/")
                    if (!end) break
                    line = substr(line, end + 2); comment = 0
                } else if (match(line, /"([^"\\]|\\.)*"|\/\*|\/\//)) {
                    token = substr(line, RSTART, RLENGTH)
                    text = text substr(line, 1, RSTART - 1)
                    line = substr(line, RSTART + RLENGTH)
                    if (token == "//") line = ""
                    else if (token == "/*") comment = 1
                    else text = text token
                } else {
                    text = text line; line = ""
                }
            }
            if (text ~ /[^ \t]/) print FILENAME ":" FNR ":" text
        }' "$@"
}

# "file:line floor header" for each include in quotes.
includes() {
    mapfile -t files < <(c_files)
    grep -HnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "${files[@]}" |
        sed -E 's/^([^:]+:[0-9]+):.*"([^"]*)".*/\1 \2/' |
        awk '{ floor = $1; sub(/^fcgi-app\//, "", floor)
               if (!sub(/\/.*/, "", floor)) floor = "programs"
               print $1, floor, $2 }'
}

includes_go_down() {
    includes | awk '
        BEGIN { n = split("base io providers shop programs", f, " "); for (i = 1; i <= n; i++) h[f[i]] = i }
        {
            to = $3
            if (!sub(/\/.*/, "", to)) to = "programs"
            if (!(to in h)) print $1 ": \"" $3 "\" names no floor"
            else if (h[to] > h[$2]) print $1 ": " $2 " includes \"" $3 "\" of a higher floor"
        }'
}

includes_exist() {
    local where floor header
    while read -r where floor header; do
        [[ -e fcgi-app/$header || $header == shop/stmt.h ]] ||
            printf '%s: no fcgi-app/%s (%s)\n' "$where" "$header" "$floor"
    done < <(includes)
}

# Library headers: json-c in base/ alone, all others in io/ alone.
libraries_stay_home() {
    grep -rnE '#[[:space:]]*include[[:space:]]*[<"](libpq-fe|postgres|hiredis|curl/|jwt|fcgi|openssl/|crypt\.h)' \
        fcgi-app --include='*.[ch]' | grep -vE '^fcgi-app/io/|"io/fcgi\.h"'
    grep -rnE '#[[:space:]]*include[[:space:]]*[<"]json' fcgi-app --include='*.[ch]' |
        grep -vE '^fcgi-app/base/|"base/json\.h"'
}

# Nor do a library's types appear in what io/ shows to others, or above it.
library_types_stay_home() {
    local files
    mapfile -t files < <(c_files | grep -vE '^fcgi-app/io/.*(\.c|_private\.h)$')
    code "${files[@]}" | grep -wE \
        'PGresult|PGconn|redisReply|redisContext|CURL|CURLM|CURLcode|jwt_t|FCGX_Request|FCGX_Stream|EVP_[A-Z_]+|crypt_data'
}

# fcgi-app/shop/ORDER lists the domains; a domain knows only those before it. A domain is a folder, or
# a file's stem up to the first '_'. stmt.h is made from SQL and knows nobody.
shop_keeps_order() {
    includes | awk '
        function domain(path) {
            sub(/^.*shop\//, "", path)
            if (!sub(/\/.*/, "", path)) { sub(/\..*/, "", path); sub(/_.*/, "", path) }
            return path
        }
        FILENAME != "-" { if ($1 != "" && $1 !~ /^#/) order[$1] = ++n; next }
        $2 == "shop" {
            file = $1; sub(/:.*/, "", file)
            me = domain(file)
            if (!(me in order)) { print $1 ": domain " me " is not in fcgi-app/shop/ORDER"; next }
            if ($3 !~ /^shop\//) next
            it = domain($3)
            if (it == "stmt" || it == me) next
            if (!(it in order)) print $1 ": domain " it " is not in fcgi-app/shop/ORDER"
            else if (order[it] > order[me]) print $1 ": " me " comes before " it
        }' fcgi-app/shop/ORDER -
}

# sql/queries/DOMAIN.sql writes only tables that sql/schema/NNNN_DOMAIN.up.sql creates. The first line of a
# further file of a domain says whose it is: "-- domain: payments".
queries_write_their_own() {
    local file domain tables table
    for file in sql/queries/*.sql; do
        domain=$(sed -n '1s/^-- domain: //p' "$file")
        [[ -n $domain ]] || domain=$(basename "$file" .sql)
        tables=" $(cat sql/schema/[0-9]*_"$domain".up.sql 2>/dev/null |
            grep -oiE '^[[:space:]]*create[[:space:]]+table[[:space:]]+(if not exists[[:space:]]+)?[a-z_]+' |
            awk '{ print tolower($NF) }' | tr '\n' ' ')"
        while read -r table; do
            [[ $tables == *" $table "* ]] ||
                printf '%s: writes %s, which is not of domain %s\n' "$file" "$table" "$domain"
        done < <(sed 's/--.*//' "$file" | tr '\n' ' ' | tr -s ' \t' ' ' |
            sed -E 's/(do|for|for no key) update( set)?//Ig' |
            grep -oiE '\b(insert into|update|delete from|truncate) (only )?[a-z_]+' |
            awk '{ print tolower($NF) }' | sort -u)
    done
}

no_sql_in_c() {
    local files
    mapfile -t files < <(c_files)
    code "${files[@]}" |
        grep -iE '"[^"]*\b(SELECT .* FROM|INSERT INTO|UPDATE .* SET|DELETE FROM)\b'
}

no_long_files() {
    find dev fcgi-app sql tests nginx systemd -type f \
        \( -name '*.c' -o -name '*.h' -o -name '*.py' -o -name '*.sh' -o -name '*.sql' -o -name dev \) \
        -not -path '*/node_modules/*' -exec wc -l {} + |
        awk '$2 != "total" && $1 > 600 { print $2 ": " $1 " lines" }'
}

no_dangerous_calls() {
    local files
    mapfile -t files < <(c_files)
    code "${files[@]}" | sed -E 's/"([^"\\]|\\.)*"/""/g' |
        grep -E '\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atof|system|popen|alloca)[[:space:]]*\('
}

no_floating_money() {
    local files
    mapfile -t files < <(find fcgi-app/shop -name '*.[ch]' | sort)
    ((${#files[@]} == 0)) || code "${files[@]}" | sed -E 's/"([^"\\]|\\.)*"/""/g' |
        grep -wE 'double|float|strtod|strtof|atof'
}

# Who links more says so by what he includes.
unit_tests_link_base_alone() {
    local line test includes
    while IFS= read -r line; do
        test=${line#*:tests_unit_}
        test=tests/unit/${test%_LDADD*}.c
        case $line in
        *_LDADD\ =\ \$\(app_test_libs\)) includes='shop/.*|routes\.h|openapi\.h|nginx\.h' ;;
        *_LDADD\ =\ \$\(providers_test_libs\)) includes='providers/.*' ;;
        *) includes=none ;;
        esac
        grep -qE "^#include \"($includes)\"" "$test" || printf 'Makefile.am:%s\n' "$line"
    done < <(grep -nE '^tests_unit_[a-z0-9_]*_(LDADD|LDFLAGS|SOURCES)' Makefile.am)
    grep -qE '^LDADD = \$\(base_libs\) \$\(CHECK_LIBS\)$' Makefile.am || echo 'Makefile.am: LDADD is not base alone'
    grep -qE '^base_libs = libbase\.a \$\(JSONC_LIBS\)$' Makefile.am || echo 'Makefile.am: base_libs is more than base'
}

# A file that the build does not know compiles nowhere, or is missing from the tarball.
build_knows_every_file() {
    local file
    while read -r file; do
        case $file in
        tests/unit/test_*.c | tests/integration/test_*.c) file=${file%.c} ;;
        esac
        grep -qE "(^|[[:space:]])${file//./\\.}([[:space:]]|\$)" Makefile.am ||
            printf 'Makefile.am does not name %s\n' "$file"
    done < <(find fcgi-app tests/unit tests/integration -name '*.[ch]' | sort
        find tests -name '*.py' -o -name '*.sh' | sort
        find sql -type f | sort)
}

rule 'every include goes to the own floor or a lower one' includes_go_down
rule 'every include names its floor and a file' includes_exist
rule 'a library is included on one floor' libraries_stay_home
rule "a library's types do not leave io" library_types_stay_home
rule 'a domain includes only domains before it' shop_keeps_order
rule "a domain's statements write its own tables" queries_write_their_own
rule 'no SQL in C' no_sql_in_c
rule 'no file over 600 lines' no_long_files
rule 'no call that cannot be used safely' no_dangerous_calls
rule 'no floating point in the shop' no_floating_money
rule 'unit tests link the lowest floor, or the one that they include' unit_tests_link_base_alone
rule 'the build names every file' build_knows_every_file
printf '1..%d\n' "$number"
