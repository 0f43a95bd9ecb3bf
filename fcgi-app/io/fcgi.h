/*
 * io/fcgi: FastCGI requests by libfcgi.
 *
 * One request at a time, on descriptor 0 (the FastCGI convention, and systemd's
 * StandardInput=socket). What libfcgi hands out dies at the next accept; the functions here copy
 * into the arena. SIGTERM interrupts the wait for a request, never a request: fcgi_new() blocks it,
 * and it arrives in fcgi_accept() alone.
 */
#ifndef SOKO_IO_FCGI_H
#define SOKO_IO_FCGI_H

#include "base/arena.h"
#include "base/err.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

struct fcgi;

/* A listener on the socket `fd`. Aborts if libfcgi cannot start. */
struct fcgi *fcgi_new(int fd);
void fcgi_free(struct fcgi *f);

/* Waits for a request. False when *stop became non-zero while it waited, or before. */
bool fcgi_accept(struct fcgi *f, const volatile sig_atomic_t *stop);

/* A FastCGI parameter (REQUEST_METHOD, HTTP_AUTHORIZATION, ...), copied; NULL if absent or empty.
 */
const char *fcgi_param(struct fcgi *f, struct arena *a, const char *name);

/* Whether the parameter was sent, if only empty. */
bool fcgi_has_param(struct fcgi *f, const char *name);

/* Reads the body, CONTENT_LENGTH bytes of it. ERR_PAYLOAD_TOO_LARGE if that exceeds `cap`,
 * ERR_VALIDATION if CONTENT_LENGTH is no number or the body ends early. *data is NUL-terminated,
 * never NULL on OK. */
enum err fcgi_body(struct fcgi *f, struct arena *a, size_t cap, const char **data, size_t *len);

/* Sends bytes of the answer (the head in CGI form first: "Status: 200\r\n..."). False if the peer
 * is gone. */
bool fcgi_send(struct fcgi *f, const char *data, size_t len);

/* Ends the request. */
void fcgi_finish(struct fcgi *f);

#endif
