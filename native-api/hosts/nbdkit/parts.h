/* What the parts of the plugin know of each other.
 *
 *   parameters.c   key=value of the command line; nothing of the library is called, nbdkit may still fork
 *   served.c       engine, device and disk: from .after_fork to .cleanup
 *   lanes.c        one queue and one aligned buffer per worker thread of nbdkit, reused when threads end
 *   live.c         export "disk": reads, writes, zeroes, trims and flushes
 *   direct.c       the short way for most of them while no job runs
 *   jobs.c         whether a job runs
 *   snapshot.c     export "snapshot": the disk as it was, read-only
 *   extents.c      which parts of the live disk hold data; of the snapshot snapshot.c says it
 *   session.c      the job that the plugin starts itself, and the thread that looks after it
 *   monitor.c      the control socket
 *   files.c        target and scratch: made, named and removed
 *   places.c       where they and the control socket shall lie: looked at before nbdkit forks
 *   answers.c      statuses of the library as errno and as text
 *   plugin.c       nbdkit's table
 */
#ifndef PARTS_H
#define PARTS_H

#include <fastbackup.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Direct I/O wants memory and ranges on sectors; a page serves every device. */
#define PAGE_BYTES 4096u

/* ---- parameters.c: constant once .config_complete has returned ------------------------------------------------- */

enum start_when { START_AT_START, START_AT_CONNECT, START_AT_SNAPSHOT };

struct parameters {
  char *source;
  char *backup; /* NULL: none */
  char *fleece; /* NULL: none */
  char *scratch;
  char *monitor; /* NULL: none */
  char *tracker; /* NULL: none */
  const char *bitmap;
  uint32_t sync; /* FB_SYNC_* */
  uint32_t guest_priority;
  uint32_t format; /* of the source: FB_FORMAT_* */
  uint64_t speed;
  uint64_t memory_bytes;
  uint64_t absorb_bytes; /* 0: no write is answered before it has landed */
  enum start_when when;
  unsigned delay_s;
  bool is_page_cache;
  bool ignores_locks;
  bool is_read_only; /* the source refuses writers: found out, not told */
  bool may_overwrite;
};

extern struct parameters parameters;

int parameters_take(const char *key, const char *value);
int parameters_check(void);
extern const char parameters_help[];

/* ---- served.c --------------------------------------------------------------------------------------------------- */

struct served {
  fb_engine engine;
  fb_device device;
  fb_disk disk;
  uint64_t size_bytes;
  uint32_t align_bytes; /* of ranges that go past the page cache */
  int file; /* of our own, for the short way, for flushes and for extents; -1: the engine does all of it, as for an
             * image, or where what was answered early must be waited for */
  bool is_block; /* or without a file of our own: tells no extents */
};

extern struct served served; /* constant between .after_fork and .cleanup */

/* 0, or -1 after a message. */
int served_open(void);
void served_close(void);

/* A file or block device of the engine. create_bytes: 0 opens what is there. 0, or -1 after a message. */
int served_open_device(const char *path, uint32_t flags, uint64_t create_bytes, fb_device *out);

/* ---- lanes.c ---------------------------------------------------------------------------------------------------- */

#define LANE_BUFFER_BYTES (1u << 20)

struct lane {
  fb_queue queue;
  uint8_t *buffer; /* LANE_BUFFER_BYTES on a page */
  struct lane *next_free;
  struct lane *next;
};

int lanes_open(void);
void lanes_close(void);

/* This thread's; NULL after a message. */
struct lane *lane_of_thread(void);

/* Waits for the one completion that a submission which returned submitted has promised; for others it returns at
 * once. 0, or -1 with nbdkit's errno set and a message. what: a verb, for people. */
int lane_finish(struct lane *lane, fb_status submitted, const char *what, uint64_t offset);
/* The same with the completion, for submissions that always have one. */
int lane_finish_with(struct lane *lane, fb_status submitted, const char *what, uint64_t offset, fb_completion *done);

/* Whether a submission must be tried again: the queue or the engine's inbox was full. Sleeps a moment then. */
bool lane_must_retry(fb_status submitted);

/* ---- live.c, snapshot.c, extents.c ------------------------------------------------------------------------------ */

struct nbdkit_extents;

int live_read(void *buffer, uint32_t count, uint64_t offset);
int live_write(const void *buffer, uint32_t count, uint64_t offset, bool is_fua);
int live_zero(uint32_t count, uint64_t offset, bool is_fua, bool may_trim);
int live_trim(uint32_t count, uint64_t offset, bool is_fua);
int live_flush(void);
/* Whether zeroes cost less than writing them. */
bool live_zero_is_fast(bool may_trim);
int live_extents(uint32_t count, uint64_t offset, bool is_one, struct nbdkit_extents *extents);

/* ---- direct.c, jobs.c ------------------------------------------------------------------------------------------- */

enum way {
  WAY_ENGINE,       /* through the engine, as many as there are */
  WAY_ENGINE_ALONE, /* the same, with nothing on the short way beside it */
  WAY_SHORT,        /* by this thread: direct_write comes next */
};

/* Which way a part of a change goes; way_end when it has gone. has_short: a write, which has a short way. */
enum way way_begin(uint32_t count, uint64_t offset, bool has_short);
void way_end(enum way way);

/* To and from the lane's buffer. False: the short way is closed, or did not get all of it; the engine does it. */
bool direct_read(struct lane *lane, uint32_t count, uint64_t offset);

enum direct_outcome {
  DIRECT_DONE,
  DIRECT_UNFINISHED, /* not, or not all of it; the engine must do it again */
  DIRECT_REFUSED,    /* the gate has refused it, the client's errno is set */
};

/* On the short way, which it leaves. */
enum direct_outcome direct_write(struct lane *lane, uint32_t count, uint64_t offset, bool is_fua);

/* Whoever polls this queue is told of its engine's jobs. 0, or -1 after a message. */
int jobs_watch(fb_queue control);
bool jobs_are_running(void);

/* The newest job whose frozen view can be read, whoever began it. Waits for the point in time of the plugin's own. */
bool snapshot_find(fb_job *job);
int snapshot_read(fb_job job, void *buffer, uint32_t count, uint64_t offset);
int snapshot_extents(fb_job job, uint32_t count, uint64_t offset, bool is_one, struct nbdkit_extents *extents);

/* ---- session.c -------------------------------------------------------------------------------------------------- */

/* Starts the thread, and the job if it is to begin now. What is wrong with a job is said, and keeps no guest from its
 * disk. 0, or -1 after a message. */
int session_open(void);
/* Cancels what still runs and waits for its end. */
void session_close(void);
/* A client opens an export, which may begin the job. What is wrong with the job is said. */
void session_on_open(bool is_snapshot);
/* Whether a client that opened the snapshot would begin the job. */
bool session_waits_for_snapshot(void);
/* The plugin's own job was started and has not ended. */
bool session_is_running(void);
/* A request has waited for long: if the server is about to end, its job must not hold it up. */
void session_on_slow_request(void);

/* ---- monitor.c -------------------------------------------------------------------------------------------------- */

/* 0, or -1 after a message. */
int monitor_open(void);
/* Ends the jobs that its clients began. May be called again. */
void monitor_close(void);

/* ---- files.c ---------------------------------------------------------------------------------------------------- */

/* Where a backup goes until it is whole; a block device is what it is. 0, or -1 after a message. */
int target_open(const char *path, fb_device *out);
/* The copy is whole and flushed: it gets its name. 0, or -1 after a message. */
int target_publish(fb_device target, const char *path);
/* A file that loses its name once it is open; path names a folder, a new file or, to be overwritten, a device. */
int unnamed_open(const char *path, fb_device *out);

/* ---- places.c --------------------------------------------------------------------------------------------------- */

/* bytes: of the disk; 0: not known yet. 0, or -1 after messages. */
int places_check(uint64_t bytes);

/* ---- answers.c -------------------------------------------------------------------------------------------------- */

/* Says what the last call of this thread found wrong. Returns -1, for the caller's return. */
int answer_refused(const char *what);
/* Says how a request failed and sets the errno that the client gets. Returns -1. */
int answer_failed(const char *what, fb_status status, int32_t sys_errno, uint64_t offset);
/* What the engine has to say goes to nbdkit's log, by whoever polls this queue. 0, or -1 after a message. */
int answer_log(fb_queue control);

#endif
