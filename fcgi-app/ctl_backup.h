/*
 * ctl_backup: what the files of backup and restore share.
 */
#ifndef SOKO_CTL_BACKUP_H
#define SOKO_CTL_BACKUP_H

#include "ctl_manifest.h"

/* Brings all pictures of MEDIA_DIR into `to`, which is made: by a link to the one in `before`, the
 * media folder of an earlier backup on the same disk (or NULL), else by copying. A file that is not
 * what its name says is told, and left out. False after complaining if it cannot go on. */
bool backup_media_all(struct arena *a, const char *to, const char *before);

/* Brings one of them, "/media/ab/ab12....png", if it is not there. False if MEDIA_DIR has none that
 * is what its name says; *broken is set if `to` cannot be written. */
bool backup_media_one(struct arena *a, const char *url, const char *to, bool *broken);

/* What lies in `to`: number, bytes, and the SHA-256 of the names. */
bool backup_media_count(struct arena *a, const char *to, struct manifest *m);

/* The other way: all pictures of a backup into MEDIA_DIR, as nginx may read them, of the user whose
 * MEDIA_DIR is. What is there stays. *count is how many came. */
bool backup_media_restore(const char *from, int64_t *count);

/* Puts the dump of the backup `path` into the empty database at `url`, in one transaction. With
 * `hold` it is made ready to be sold from again: what may have been done since is held, all are
 * signed out. False after complaining; the database is then as it was. */
bool restore_dump(struct arena *a, const char *url, const char *path, const struct manifest *m,
                  bool hold);

/* Holds a database that was restored from it against the manifest, its ledger against itself, its
 * audit log against its chain. False after complaining. */
bool restore_is_right(struct arena *a, const char *url, const struct manifest *m, bool held);

/* Restores the backup `path` into a database that is made for it and dropped, and looks whether all
 * is right. False after complaining. */
bool restore_rehearse(struct arena *a, const char *path);

#endif
