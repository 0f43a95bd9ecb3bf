# Named statements become C: an enum and a table.
#
#   awk -v part=h -v schema=9 -f statements.awk sql/queries/*.sql > shop/stmt.h
#   awk -v part=c -f statements.awk sql/queries/*.sql > shop/stmt.c
#
# A statement begins with the line `-- name: CART_SHOW`, or `-- name: PRODUCTS_BY_PRICE custom` if it
# is to be planned at each call, and ends at the next one or at the file's end. Its name begins with
# its file's name. Comment lines stay out of C.

function fail(why) { print FILENAME ":" FNR ": " why > "/dev/stderr"; failed = 1; exit 1 }

function finish(   i, n, text, c, digits) {
    if (name == "") return
    sub(/[ \n;]+$/, "", body)
    if (body == "") fail(name " is empty")
    params = 0
    text = body
    while (match(text, /\$[0-9]+/)) {
        n = substr(text, RSTART + 1, RLENGTH - 1) + 0
        used[n] = 1
        if (n > params) params = n
        text = substr(text, RSTART + RLENGTH)
    }
    for (i = 1; i <= params; i++) {
        if (!(i in used)) fail(name " does not use $" i)
        delete used[i]
    }
    count++
    names[count] = name; bodies[count] = body; counts[count] = params; customs[count] = custom
    name = ""
}

FNR == 1 {
    finish()
    domain = FILENAME; sub(/.*\//, "", domain); sub(/\.sql$/, "", domain)
}
/^-- name: / {
    finish()
    name = $3; custom = ($4 == "custom") ? "true" : "false"; body = ""
    if (name !~ /^[A-Z][A-Z0-9_]*$/) fail("bad name " name)
    if (index(name, toupper(domain) "_") != 1) fail(name " must begin with " toupper(domain) "_")
    if (NF > 3 && $4 != "custom") fail("unknown word " $4)
    if (name in seen) fail(name " stands twice")
    seen[name] = 1
    next
}
/^[ \t]*--/ { next }
/^[ \t]*$/ { next }
{
    if (name == "") fail("text before the first name")
    line = $0; gsub(/^[ \t]+/, "", line)
    body = body (body == "" ? "" : "\n") line
}
END {
    if (failed) exit 1
    finish()
    if (part == "h") {
        print "/* Made from sql/queries/ by sql/statements.awk. */"
        print "#ifndef SOKO_SHOP_STMT_H\n#define SOKO_SHOP_STMT_H\n\n#include \"io/pg.h\"\n"
        if (schema != "")
            print "#define SCHEMA_VERSION " schema " /* the newest in sql/schema/ */\n"
        print "enum stmt {\n    STMT_NONE = 0,"
        for (i = 1; i <= count; i++) print "    " names[i] ","
        print "    STMT__COUNT\n};\n"
        print "extern const struct pg_stmt stmts[STMT__COUNT];\n\n#endif"
    } else {
        print "/* Made from sql/queries/ by sql/statements.awk. */"
        print "#include \"shop/stmt.h\"\n\nconst struct pg_stmt stmts[STMT__COUNT] = {"
        for (i = 1; i <= count; i++) {
            text = bodies[i]
            gsub(/\\/, "\\\\\\\\", text); gsub(/"/, "\\\"", text)
            gsub(/\n/, "\\n\"\n     \"", text)
            printf "    [%s] = {\"%s\",\n     \"%s\",\n     %d, %s},\n", names[i], names[i], text, counts[i], customs[i]
        }
        print "};"
    }
}
