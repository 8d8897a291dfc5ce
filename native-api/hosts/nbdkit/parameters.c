/* The command line. All of this runs before nbdkit forks: messages still reach the user, and nothing of the library
 * may be called in this process.
 */
#define NBDKIT_API_VERSION 2
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <nbdkit-plugin.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parts.h"

struct parameters parameters;

const char parameters_help[] =
    "source=FILE        the disk: a raw file or a block device (required)\n"
    "backup=FILE        back it up into a new file; FILE.partial until it is whole\n"
    "fleece=FILE        keep the disk as it was in a nameless file, in this folder or under this name, for the\n"
    "                   export \"snapshot\"; instead of backup=\n"
    "sync=full|top      of backup=: everything, or only what is allocated (full)\n"
    "at=start|connect|snapshot  of both: when nbdkit starts, or when the first client opens the disk, or the\n"
    "                   snapshot (start)\n"
    "delay=SECONDS      and so long after that (0)\n"
    "monitor=SOCKET     begin, watch and end jobs of the node \"disk\" here, by QEMU's protocol\n"
    "scratch=FILE       of both: takes old data when memory is full; a folder or a new name\n"
    "tracker=FILE       record what is written in a tracker file, which \"fastbackup track add\" makes: it outlives\n"
    "                   this server\n"
    "bitmap=NAME        record what is written, from the start\n"
    "speed=SIZE         at most so many bytes a second\n"
    "priority=balanced|strict|off  how far a backup steps back for guests (balanced)\n"
    "memory=SIZE        I/O memory of the engine (64M)\n"
    "absorb=SIZE        beside a backup, so much of what guests write is answered before it lands, as a disk with a\n"
    "                   volatile cache does; flush and FUA wait for it; the disk then tells no extents (0)\n"
    "cache=direct|page  whether the disk is used past the page cache (direct)\n"
    "format=raw|qcow2   the disk is raw, whatever it looks like: guests may write anything (what looks like another\n"
    "                   format is refused); or an image, with every file that it names\n"
    "locking=on|off     off: neither ask whether a disk is in use by another program, or mounted, nor lock it (on)\n"
    "overwrite=BOOL     whether an existing file or a block device may be replaced (false)";

static int take_path(char **path, const char *value) {
  *path = nbdkit_absolute_path(value); /* nbdkit may change its folder */
  return *path == NULL ? -1 : 0;
}

static int take_size(uint64_t *bytes, const char *value) {
  int64_t size = nbdkit_parse_size(value);
  if (size < 0)
    return -1;
  *bytes = (uint64_t)size;
  return 0;
}

struct choice {
  const char *word;
  uint32_t value;
};

static const struct choice SYNCS[] = {{"full", FB_SYNC_FULL}, {"top", FB_SYNC_TOP}, {NULL, 0}};
static const struct choice WHENS[] = {{"start", START_AT_START},
                                      {"connect", START_AT_CONNECT},
                                      {"snapshot", START_AT_SNAPSHOT},
                                      {NULL, 0}};
static const struct choice CACHES[] = {{"direct", false}, {"page", true}, {NULL, 0}};
static const struct choice FORMATS[] = {{"raw", FB_FORMAT_RAW}, {"qcow2", FB_FORMAT_QCOW2}, {NULL, 0}};
static const struct choice LOCKINGS[] = {{"on", false}, {"off", true}, {NULL, 0}};
static const struct choice PRIORITIES[] = {{"balanced", FB_GUEST_PRIORITY_BALANCED},
                                           {"strict", FB_GUEST_PRIORITY_STRICT},
                                           {"off", FB_GUEST_PRIORITY_OFF},
                                           {NULL, 0}};

static int take_choice(const struct choice *choices, const char *key, const char *value, uint32_t *out) {
  for (; choices->word != NULL; choices++)
    if (strcmp(choices->word, value) == 0) {
      *out = choices->value;
      return 0;
    }
  nbdkit_error("%s=%s: not one of the values that nbdkit --help names", key, value);
  return -1;
}

int parameters_take(const char *key, const char *value) {
  struct parameters *p = &parameters;
  uint32_t choice = 0;
  int answer;
  if (strcmp(key, "source") == 0)
    return take_path(&p->source, value);
  if (strcmp(key, "backup") == 0)
    return take_path(&p->backup, value);
  if (strcmp(key, "fleece") == 0)
    return take_path(&p->fleece, value);
  if (strcmp(key, "scratch") == 0)
    return take_path(&p->scratch, value);
  if (strcmp(key, "tracker") == 0)
    return take_path(&p->tracker, value);
  if (strcmp(key, "monitor") == 0)
    return take_path(&p->monitor, value);
  if (strcmp(key, "bitmap") == 0) {
    p->bitmap = value; /* nbdkit keeps it */
    return 0;
  }
  if (strcmp(key, "speed") == 0)
    return take_size(&p->speed, value);
  if (strcmp(key, "memory") == 0)
    return take_size(&p->memory_bytes, value);
  if (strcmp(key, "absorb") == 0)
    return take_size(&p->absorb_bytes, value);
  if (strcmp(key, "sync") == 0)
    return take_choice(SYNCS, key, value, &p->sync);
  if (strcmp(key, "priority") == 0)
    return take_choice(PRIORITIES, key, value, &p->guest_priority);
  if (strcmp(key, "at") == 0) {
    answer = take_choice(WHENS, key, value, &choice);
    p->when = (enum start_when)choice;
    return answer;
  }
  if (strcmp(key, "delay") == 0)
    return nbdkit_parse_unsigned(key, value, &p->delay_s);
  if (strcmp(key, "cache") == 0) {
    answer = take_choice(CACHES, key, value, &choice);
    p->is_page_cache = choice != 0;
    return answer;
  }
  if (strcmp(key, "format") == 0)
    return take_choice(FORMATS, key, value, &p->format);
  if (strcmp(key, "locking") == 0) {
    answer = take_choice(LOCKINGS, key, value, &choice);
    p->ignores_locks = choice != 0;
    return answer;
  }
  if (strcmp(key, "overwrite") == 0) {
    answer = nbdkit_parse_bool(value);
    p->may_overwrite = answer == 1;
    return answer < 0 ? -1 : 0;
  }
  nbdkit_error("unknown parameter %s=; nbdkit --help names those there are", key);
  return -1;
}

/* A source that refuses writers (a read-only device or file system, an immutable file) is served, and says so to its
 * clients. A read-only device may be opened for writing nevertheless. nbdkit does not tell its plugins of -r before a
 * client comes.
 */
static int find_out_access(void) {
  int is_read_only = 0;
  int fd = open(parameters.source, O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0 && (errno == EROFS || errno == EACCES || errno == EPERM)) {
    parameters.is_read_only = true;
    fd = open(parameters.source, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  }
  if (fd < 0) {
    nbdkit_error("%s: %m", parameters.source);
    return -1;
  }
  if (ioctl(fd, BLKROGET, &is_read_only) == 0 && is_read_only != 0) /* an error: it is a file */
    parameters.is_read_only = true;
  (void)close(fd);
  return 0;
}

static int check_source(struct stat *source) {
  if (parameters.source == NULL) {
    nbdkit_error("source=FILE is required: the disk to serve");
    return -1;
  }
  if (stat(parameters.source, source) != 0) {
    nbdkit_error("%s: %m", parameters.source);
    return -1;
  }
  if (S_ISREG(source->st_mode) || S_ISBLK(source->st_mode))
    return find_out_access();
  nbdkit_error("%s: neither a file nor a block device", parameters.source);
  return -1;
}

int parameters_check(void) {
  struct stat source;
  bool has_job = parameters.backup != NULL || parameters.fleece != NULL;
  if (check_source(&source) != 0)
    return -1;
  if (parameters.backup != NULL && parameters.fleece != NULL) {
    nbdkit_error("backup= and fleece= exclude each other: one job at a time; a backup has a snapshot too");
    return -1;
  }
  if (!has_job && (parameters.scratch != NULL || parameters.speed > 0)) {
    nbdkit_error("scratch= and speed= belong to backup= or fleece=");
    return -1;
  }
  if (parameters.when == START_AT_SNAPSHOT && (parameters.sync == FB_SYNC_TOP || parameters.delay_s > 0)) {
    nbdkit_error("at=snapshot goes neither with sync=top, which has no snapshot, nor with delay=");
    return -1;
  }
  return places_check(S_ISREG(source.st_mode) ? (uint64_t)source.st_size : 0);
}
