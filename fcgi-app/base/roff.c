#include "base/roff.h"

#include <stdbool.h>

static void
put(FILE *out, char c)
{
    switch (c) {
    case '\\':
        fputs("\\e", out);
        break;
    case '-':
        fputs("\\-", out);
        break;
    case '\'':
        fputs("\\(aq", out);
        break;
    case '`':
        fputs("\\(ga", out);
        break;
    case '^':
        fputs("\\(ha", out);
        break;
    case '~':
        fputs("\\(ti", out);
        break;
    case '"':
        fputs("\\(dq", out);
        break;
    default:
        fputc(c, out);
    }
}

void
roff_text(FILE *out, const char *s)
{
    bool begins = true;

    for (; *s != '\0'; s++) {
        if (begins && *s == '.')
            fputs("\\&", out);
        begins = *s == '\n';
        if (begins)
            fputs("\n.IP\n", out);
        else
            put(out, *s);
    }
}

void
roff_font(FILE *out, char font, const char *s, int len)
{
    fprintf(out, "\\f%c", font);
    for (int i = 0; i < len; i++)
        put(out, s[i]);
    fputs("\\fR", out);
}
