/* fastbackup.h - point-in-time backup of a disk while a guest keeps writing to it; for hypervisors.
 *
 * Everything a host may rely on is in this file; what is not here may change.
 *
 * Contract in short
 *   units    offsets and lengths are bytes; ranges are half-open, [offset, offset + length).
 *   errors   a negative fb_status is an error; 0 and above is success. Never errno, never -1 alone.
 *   threads  each declaration begins with its class:
 *              [any]       any thread, also several at once, also from inside a callback
 *              [queue]     one thread at a time per queue; a second one gets FB_E_STATE
 *              [setup]     any thread; takes a turn of the engine's own thread, so never on an I/O path
 *              [exclusive] nobody else uses this bitmap meanwhile; else results (never memory) are undefined
 *   work     what takes time is submitted to a queue. FB_PENDING: exactly one completion will come.
 *            FB_OK: done already, none comes. Negative: refused, none comes, nothing was changed.
 *   memory   the library never frees host memory, the host never frees library memory. Pointers are trusted:
 *            they must be valid for what they point to. Handles are not trusted: see section 3.
 *   structs  a struct that begins with struct_size may grow at its end, never change. Set struct_size to
 *            sizeof, all else to zero (FB_INIT does both), then what you need. A library that is older than the
 *            host refuses a non-zero tail (FB_E_UNSUPPORTED); one that is newer takes what is missing for zero.
 *            Unknown flag bits and values are refused, never ignored.
 *
 * Who owns what, and until when
 *   options, names, arrays   host; needed during the call only
 *   buffers of I/O           host; the library uses them from submit until the completion was harvested
 *   fb_device_ops.context,
 *   fb_callback.context      host; until release(context) was called, which happens exactly once
 *   event fd                 library; until fb_queue_close. Watch it, never read, write or close it
 *   const char * returned    library; static, for ever
 *
 * Process rules
 *   Load the library once; dlclose is harmless and does not unload. The first call of a process starts the
 *   runtime: make it early, on one thread. It installs handlers for SIGSEGV, SIGFPE and one real-time signal,
 *   which hand on what is not theirs to the handlers that were there before; SIGPIPE is left alone. A child after
 *   fork() must not call anything but fb_is_forked_child before exec; every file descriptor is close-on-exec. The
 *   first call starts one thread of the runtime; those of an engine are named fb-* and start in fb_*_open. A
 *   new thread of the host pays 50 us at its first call. Where a declaration says "I/O path" nothing is allocated.
 */
#ifndef FASTBACKUP_H
#define FASTBACKUP_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- 1. Version ------------------------------------------------------------------------------------------------ */

#define FB_ABI_VERSION 1u /* raised only when a host compiled before would break; part of the soname */
#define FB_VERSION_MAJOR 0
#define FB_VERSION_MINOR 1
#define FB_VERSION_PATCH 0

#if defined(_WIN32)
#define FB_API __declspec(dllimport)
#define FB_CALL __cdecl
#else
#define FB_API
#define FB_CALL
#endif

/* [any] FB_ABI_VERSION of the library that was loaded. Compare it with the macro before anything else; the first
 * call of a process starts the runtime (1 ms). */
FB_API uint32_t FB_CALL fb_abi_version(void);

/* [any] Static text, for example "0.1.0+v3": the version and, after '+', the processor level it was built for
 * (v1, v3: AVX2, v4: AVX-512). */
FB_API const char *FB_CALL fb_version_string(void);

/* [any] 1 in a child after fork (and in its children), where no other function of this file may be called; else 0. This
 * one may, always: it does not enter the runtime. */
FB_API int32_t FB_CALL fb_is_forked_child(void);

/* For code that may run in such a child: status = FB_GUARDED(fb_bitmap_mark(bitmap, offset, length)); */
#define FB_GUARDED(call) (fb_is_forked_child() ? FB_E_FORKED : (call))

/* Sets struct_size of a struct that is to be filled in or read out. Everything else must be zero:
 *   fb_engine_options options = FB_INIT(fb_engine_options); */
#ifdef __cplusplus
#define FB_INIT(type) (fb_init_of<type>())
#else
#define FB_INIT(type) {.struct_size = (uint32_t)sizeof(type)}
#endif

/* ---- 2. Status and error text ---------------------------------------------------------------------------------- */

typedef int32_t fb_status; /* an integer, not an enum: its size is part of the ABI. Numbers never change. */

#define FB_OK 0
#define FB_PENDING 1             /* accepted; exactly one completion will follow */
#define FB_E_INVALID (-1)        /* a value that is never right; the text names it */
#define FB_E_HANDLE (-2)         /* zero, closed, stale, forged, or of another kind */
#define FB_E_STATE (-3)          /* right in itself, but not now */
#define FB_E_ALIGN (-4)          /* offset or length is not on the alignment asked for */
#define FB_E_RANGE (-5)          /* passes the end; nothing was recorded */
#define FB_E_NO_MEMORY (-6)
#define FB_E_QUEUE_FULL (-7)     /* harvest completions or end writes, then submit again */
#define FB_E_IO (-8)             /* sys_errno has the kernel's or the host device's number */
#define FB_E_CANCELED (-9)
#define FB_E_UNSUPPORTED (-10)   /* a flag, a value or a struct tail that this library does not know */
#define FB_E_SNAPSHOT_LOST (-11) /* the point in time could not be kept; the job has the root cause */
#define FB_E_NO_SPACE (-12)      /* ENOSPC or EDQUOT of the target */
#define FB_E_TRUNCATED (-13)     /* a device has not the size any more that it had when opened */
#define FB_E_TIMED_OUT (-14)
#define FB_E_FORKED (-15)        /* FB_GUARDED: this process is a child after fork */
#define FB_E_BUG (-127)          /* an invariant of the library failed; the engine has stopped, guests go on */

typedef struct fb_error {
  uint32_t struct_size;
  fb_status status;
  int32_t sys_errno;    /* 0 when no system call was involved */
  uint32_t text_length; /* bytes in text, without the final NUL */
  uint64_t offset;      /* offset concerned, or UINT64_MAX */
  char text[232];       /* UTF-8, cut at a character, NUL-terminated; for people, never parse it */
} fb_error;

/* [any] Copies what the last call that failed on this thread left; successful calls leave it alone. Completions
 * carry their errors themselves and do not come here.
 *   FB_OK         filled in; status is FB_OK and text empty when nothing has failed yet
 *   FB_E_INVALID  out is NULL or its struct_size too small */
FB_API fb_status FB_CALL fb_last_error(fb_error *out);

/* [any] Static text, for example "FB_E_RANGE"; "FB_E_?" for a number that is not in this file. */
FB_API const char *FB_CALL fb_status_name(fb_status status);

/* ---- 3. Handles ------------------------------------------------------------------------------------------------ */

/* Opaque 64-bit values, each kind a type of its own. 0 is never valid; closing 0 does nothing. A handle that was
 * closed, or never given out, or is of another kind, is answered with FB_E_HANDLE for as long as the process
 * lives. A close that overlaps other calls with the same handle is safe: those end first or get FB_E_HANDLE. */
typedef struct fb_engine { uint64_t id; } fb_engine;
typedef struct fb_queue { uint64_t id; } fb_queue;
typedef struct fb_device { uint64_t id; } fb_device;
typedef struct fb_disk { uint64_t id; } fb_disk;
typedef struct fb_bitmap { uint64_t id; } fb_bitmap;
typedef struct fb_job { uint64_t id; } fb_job;
typedef struct fb_monitor { uint64_t id; } fb_monitor;
typedef struct fb_server { uint64_t id; } fb_server;

#define FB_KIND_NONE 0u
#define FB_KIND_ENGINE 1u
#define FB_KIND_QUEUE 2u
#define FB_KIND_DEVICE 3u
#define FB_KIND_DISK 4u
#define FB_KIND_BITMAP 5u
#define FB_KIND_JOB 6u
#define FB_KIND_MONITOR 7u
#define FB_KIND_SERVER 8u

/* [any] FB_KIND_* of an id that is open now, else FB_KIND_NONE. */
FB_API uint32_t FB_CALL fb_handle_kind(uint64_t id);

/* ---- 4. Engine ------------------------------------------------------------------------------------------------- */

#define FB_ENGINE_NO_IO_URING 1u /* worker threads even where io_uring works */
/* No thread that runs the engine: everything happens inside fb_queue_poll and fb_queue_dispatch of its queues, and what
 * must be at once inside other calls, on one thread at a time. The event fd of each queue tells when to poll, timers
 * included. Where this file says "the engine's own thread" it is the one that polls. Guests whose writes wait are
 * granted only while somebody polls. I/O that ends may end the host's own wait with EINTR. Needs io_uring, and gives
 * up some of its speed. Each open file has one thread that sleeps, for what a ring cannot do and a file system may
 * keep for ever (holes are sought, a target is marked as unfinished); a file of which it is not known that its I/O
 * never blocks (on FUSE or NFS, say) has threads for all its I/O. */
#define FB_ENGINE_HOST_DRIVEN 2u

typedef struct fb_engine_options {
  uint32_t struct_size;
  uint32_t flags;        /* FB_ENGINE_* */
  uint64_t buffer_bytes; /* all I/O memory, taken and filled at open; 0 = 64 MiB, or what
                          * limits of the process leave; at least one chunk, at most 1 TiB */
  uint32_t chunk_bytes;  /* longest single copy: a power of two, 4 KiB to 1 GiB; 0 = 1 MiB */
  uint32_t io_depth;     /* requests at the kernel at once, over all devices: 1 to 32768; 0 = 4096 */
} fb_engine_options;

#define FB_ENGINE_IS_STOPPED 1u  /* a bug stopped it: guests pass, snapshots are lost, all else is FB_E_BUG */
#define FB_ENGINE_HAS_IO_URING 2u

typedef struct fb_engine_state {
  uint32_t struct_size;
  uint32_t flags;         /* FB_ENGINE_IS_* and FB_ENGINE_HAS_* */
  uint64_t buffer_bytes;
  uint64_t buffer_free_bytes;
  uint32_t warning_count; /* why something is slower than it could be: fb_engine_warning */
  uint32_t child_count;   /* queues, devices, disks, jobs and monitors that are open */
  uint64_t heap_bytes;    /* ever allocated on the runtime's heap by this process: stands still on the I/O path */
} fb_engine_state;

/* [setup] Takes all I/O memory and starts the thread fb-reactor-0, unless host-driven. options may be NULL.
 *   FB_OK, FB_E_INVALID, FB_E_UNSUPPORTED, FB_E_NO_MEMORY. Cost: 0.1 s per GiB of buffers. */
FB_API fb_status FB_CALL fb_engine_open(const fb_engine_options *options, fb_engine *out);

/* [setup] Ends the thread and gives the memory back; the I/O memory only if no request of a closed device is in flight,
 * since a device may still write to it.
 *   FB_OK, FB_E_HANDLE; FB_E_STATE: queues, devices, disks, jobs or monitors are open, or a callback's thread */
FB_API fb_status FB_CALL fb_engine_close(fb_engine engine);

/* [setup] FB_OK, FB_E_INVALID, FB_E_HANDLE. */
FB_API fb_status FB_CALL fb_engine_query(fb_engine engine, fb_engine_state *out);

/* [any] Copies one warning as UTF-8, cut at capacity and NUL-terminated; length is that of the whole text.
 *   FB_OK, FB_E_INVALID (NULL, capacity 0), FB_E_HANDLE, FB_E_RANGE (no such warning) */
FB_API fb_status FB_CALL fb_engine_warning(fb_engine engine, uint32_t index, char *text, uint32_t capacity,
                                           uint32_t *length);

/* ---- 5. Queues and completions --------------------------------------------------------------------------------- */

#define FB_COMPLETION_WRITE_GRANT 1u /* fb_disk_write_begin: FB_OK: write now, then fb_disk_write_end */
#define FB_COMPLETION_DISK_IO 2u     /* fb_disk_read ... flush; bytes as asked for */
#define FB_COMPLETION_DISK_CHANGE 3u /* fb_disk_bitmap_*, fb_disk_grow */
#define FB_COMPLETION_JOB 4u         /* the job has ended; bytes: what it copied or skipped */
#define FB_COMPLETION_SNAPSHOT_IO 5u /* fb_snapshot_read, _discard; _extents: bytes that the answer covers */
#define FB_COMPLETION_READ_OFFER 6u  /* fb_disk_offer_read: the buffer is the host's again; always FB_OK */

typedef struct fb_completion {
  uint64_t user_data; /* as given at submission */
  fb_status status;   /* FB_OK or an error */
  int32_t sys_errno;
  uint64_t offset;    /* where it failed, or UINT64_MAX */
  uint64_t bytes;
  uint32_t kind;      /* FB_COMPLETION_*; ignore kinds you do not know */
  uint32_t reserved;
} fb_completion;

/* [setup] depth: submissions that are not yet harvested, at most; 1 to 65536.
 *   FB_OK, FB_E_INVALID, FB_E_HANDLE, FB_E_NO_MEMORY (also: no file descriptor left) */
FB_API fb_status FB_CALL fb_queue_open(fb_engine engine, uint32_t depth, fb_queue *out);

/* [setup] FB_OK, FB_E_HANDLE; FB_E_STATE: something submitted is not harvested, or a device calls through it. */
FB_API fb_status FB_CALL fb_queue_close(fb_queue queue);

/* [any] A descriptor that is readable whenever fb_queue_poll has something to do, for epoll, poll or select, level
 * triggered. Spurious readiness is possible. Harvest until fewer than capacity come. Without this call the queue
 * makes no system call.
 *   FB_OK, FB_E_INVALID, FB_E_HANDLE */
FB_API fb_status FB_CALL fb_queue_event_fd(fb_queue queue, int32_t *fd);

/* [queue] I/O path. Moves completions to the host, in no order, and makes the calls of host devices that asked for
 * this thread. completion_size is sizeof(fb_completion) as the host was compiled and the stride of the array.
 * min_count > 0 waits until so many are there, at most timeout_ns; timeout_ns < 0 waits for ever.
 *   0 to capacity  entries filled in
 *   FB_E_INVALID   NULL with a capacity, min_count above capacity, completion_size
 *   FB_E_HANDLE; FB_E_STATE: another thread polls, or this is inside a callback of the same queue */
FB_API int32_t FB_CALL fb_queue_poll(fb_queue queue, fb_completion *completions, uint32_t completion_size,
                                     uint32_t capacity, uint32_t min_count, int64_t timeout_ns);

/* [any] Ends a wait in fb_queue_poll or fb_queue_dispatch early, or the next one. FB_OK, FB_E_HANDLE. */
FB_API fb_status FB_CALL fb_queue_wake(fb_queue queue);

/* [any] Submissions that are not harvested yet. FB_OK, FB_E_INVALID, FB_E_HANDLE. */
FB_API fb_status FB_CALL fb_queue_pending(fb_queue queue, uint32_t *count);

/* Callbacks instead of an array, for those who like them. They run inside fb_queue_dispatch, on its thread, and
 * nowhere else; they may submit, but not poll, dispatch or close the same queue. */
typedef struct fb_callback {
  uint32_t struct_size;
  uint32_t flags;                       /* 0 */
  void *context;
  void(FB_CALL *call)(void *context, const fb_completion *completion);
  void(FB_CALL *release)(void *context); /* may be NULL; once: when replaced, at close, or if this call fails */
} fb_callback;

/* [queue] callback may be NULL: none from now on. FB_OK, FB_E_INVALID, FB_E_HANDLE, FB_E_STATE, FB_E_UNSUPPORTED. */
FB_API fb_status FB_CALL fb_queue_set_callback(fb_queue queue, const fb_callback *callback);

/* [queue] As fb_queue_poll, each completion handed to the callback. Returns their number; FB_E_STATE without one. */
FB_API int32_t FB_CALL fb_queue_dispatch(fb_queue queue, uint32_t capacity, uint32_t min_count, int64_t timeout_ns);

/* ---- 6. Devices: where data lies ------------------------------------------------------------------------------- */

#define FB_DEVICE_READ_ONLY 1u  /* refuse every write */
#define FB_DEVICE_CREATE 2u     /* a new file of create_bytes; it must not exist */
#define FB_DEVICE_PAGE_CACHE 4u /* not O_DIRECT, on purpose */
#define FB_DEVICE_PROBE_FORMAT 16u /* refuse what looks like qcow2 or another format; without it all content is raw */
#define FB_DEVICE_IGNORE_LOCKS 8u /* neither ask whether it is in use nor lock it */
/* With CREATE: the file is path.partial until fb_device_publish gives it the name path, so that an unfinished copy
 * never looks whole. A symbolic link is followed. A block device is opened in place. Closed before anything was written
 * to it, the partial goes away again. */
#define FB_DEVICE_PARTIAL 32u
#define FB_DEVICE_NAMELESS 64u /* with CREATE: path is a folder, or a new file that loses its name at once */
/* With PARTIAL: what lies at path, or is left over as path.partial, is replaced, unless a program holds its lock. With
 * both: a block device may be overwritten. */
#define FB_DEVICE_REPLACE 128u
/* With PARTIAL, of a file: a path.partial of create_bytes that an interrupted copy has left is opened as it is, to go
 * on with (fb_backup_unfinished), and stays when nothing is written to it. With none there a new one is made. */
#define FB_DEVICE_RESUME 256u

#define FB_FORMAT_UNSAID 0u /* as the flags say: raw, or refused */
#define FB_FORMAT_RAW 1u    /* raw, whatever it looks like */
/* A qcow2 image, with every file that it names (docs/qcow2.md): who says so trusts what is in it. With CREATE and
 * PARTIAL a new one: the target of one job, not read, and no image to anybody before that job has ended well.
 * A job that writes to one that is packed or based on another has clusters of 64 KiB at least. */
#define FB_FORMAT_QCOW2 2u

#define FB_PACKING_NONE 0u
#define FB_PACKING_ZLIB 1u /* read by every program that reads qcow2 */
#define FB_PACKING_ZSTD 2u /* by QEMU from 5.1 on */

#define FB_PREALLOCATION_OFF 0u
#define FB_PREALLOCATION_METADATA 1u /* all clusters have a place, of an image neither packed nor based on another */

typedef struct fb_device_options {
  uint32_t struct_size;
  uint32_t flags;          /* FB_DEVICE_* */
  const char *path;        /* UTF-8, a regular file or a block device, or an nbd://, nbd+unix:// or rbd: name */
  uint32_t path_length;    /* 1 to 4095 bytes, no NUL inside */
  uint32_t in_flight_max;  /* requests at once: 4 to 4096; 0 = 1024 */
  uint64_t create_bytes;   /* with FB_DEVICE_CREATE, else 0: of the disk */
  uint32_t format;         /* FB_FORMAT_* */
  uint32_t packing;        /* of a new image: FB_PACKING_*, by threads beside the engine's */
  uint32_t packing_level;  /* 1, the fastest, to 19 for zstd and 9 for zlib; 0 = 1 */
  uint32_t backing_format; /* what the backing is taken for: FB_FORMAT_*; UNSAID: what it looks like */
  const char *backing;     /* of a new image: the file that it is based on, a copy of create_bytes; NULL = none */
  uint32_t backing_length; /* 0 to 1023 bytes, no NUL inside */
  uint32_t preallocation;  /* of a new image: FB_PREALLOCATION_* */
} fb_device_options;

#define FB_DEVICE_IS_READ_ONLY 1u
#define FB_DEVICE_IS_DIRECT 2u /* O_DIRECT is in use */
#define FB_DEVICE_IS_BLOCK 4u  /* a block device */
#define FB_DEVICE_IS_HOST 8u   /* registered by the host */
#define FB_DEVICE_IS_IN_USE 16u /* opened for reading, while another program wrote to it or the kernel had it mounted */

typedef struct fb_device_state {
  uint32_t struct_size;
  uint32_t flags; /* FB_DEVICE_IS_* */
  uint64_t capacity_bytes;
  uint32_t request_align;
  uint32_t buffer_align;
  uint32_t in_flight_count;
  uint32_t in_flight_max;
} fb_device_state;

/* [setup] Opens what is there, or makes a new file. Blocks for some system calls. What another program writes to, or
 * lets nobody write to, is not opened for writing, and no part of a mounted disk; what is opened is locked as QEMU does
 * it (bytes 100 and 200 upwards) and with flock. A file is written by one device of a process at a time.
 * A disk of an NBD server is named as its clients do (docs/nbd.md): it is there already. When its server goes away it
 * is connected to again for a minute before requests fail.
 * An image or a backing is read while it is opened: not on the thread of an engine that the host drives. A new image
 * that is based on another has only what a job writes to it: one with sync top or a bitmap. The backing is read only,
 * and stays open and locked as long as the device.
 *   FB_OK, FB_E_INVALID, FB_E_HANDLE, FB_E_STATE (in use elsewhere), FB_E_IO, FB_E_NO_SPACE, FB_E_NO_MEMORY,
 *   FB_E_UNSUPPORTED; the error text is a sentence that names the path */
FB_API fb_status FB_CALL fb_device_open(fb_engine engine, const fb_device_options *options, fb_device *out);

/* [setup] The copy on a device that was opened with FB_DEVICE_PARTIAL is whole: it gets its name, durably. Call it when
 * the job has ended with FB_OK, before the device is closed. FB_OK means that the file under the name is this one,
 * whatever others do in its folder meanwhile: without FB_DEVICE_REPLACE what has appeared under the name stays, with it
 * a replaced file's owner, mode and attributes are kept, and what could not be kept is told. Blocks as long as the file
 * system does; calls for one device one at a time. Again, or of a block device: FB_OK.
 * words is UTF-8, cut at capacity and NUL-terminated, length that of the whole text; with capacity 0 both may be NULL.
 *   FB_OK; else the file keeps the name path.partial, or its new name is not known to be durable: FB_E_INVALID (opened
 *   without the flag), FB_E_HANDLE, FB_E_STATE, FB_E_IO, FB_E_NO_SPACE, FB_E_NO_MEMORY, FB_E_UNSUPPORTED */
FB_API fb_status FB_CALL fb_device_publish(fb_device device, char *words, uint32_t capacity, uint32_t *length);

#define FB_PATH_TARGET 1u  /* of FB_DEVICE_PARTIAL */
#define FB_PATH_SCRATCH 2u /* of FB_DEVICE_NAMELESS */
#define FB_PATH_MONITOR 3u /* of fb_monitor_open */

typedef struct fb_path_options {
  uint32_t struct_size;
  uint32_t kind;           /* FB_PATH_* */
  const char *path;        /* UTF-8 */
  const char *source;      /* the disk to be copied, which is no target; NULL: not known */
  const char *allow;       /* how people allow a replacement, for the sentence; NULL = FB_DEVICE_REPLACE */
  uint64_t bytes;          /* FB_PATH_TARGET: the disk's size */
  uint32_t path_length;    /* 1 to 4095 bytes */
  uint32_t source_length;
  uint32_t allow_length;
  uint32_t flags;          /* FB_DEVICE_REPLACE, FB_DEVICE_IGNORE_LOCKS */
} fb_path_options;

/* [any] What can be known of a place before there is an engine: whether opening it would be refused. Looks, and changes
 * nothing; blocks as long as the file system does. The error text is the refusal that an open would give.
 *   FB_OK; what the open would return; FB_E_STATE with sys_errno ESTALE: all that is in the way is the partial file
 *   that an earlier run has left there */
FB_API fb_status FB_CALL fb_path_check(const fb_path_options *options);

/* A point in time of a disk in a restic repository, as the target of one job (docs/repository.md): what is copied goes
 * there chunk by chunk, compressed and encrypted. */
#define FB_REPOSITORY_CREATE 1u /* where there is no repository, one is made, with this password */

typedef struct fb_repository_options {
  uint32_t struct_size;
  uint32_t flags;                /* FB_REPOSITORY_CREATE */
  const char *repository;        /* UTF-8: a folder, a rest: or an s3: name; its credentials are the environment's */
  const char *password_file;     /* mode 0600; NULL: FASTBACKUP_PASSWORD or ..._PASSWORD_FILE of the environment */
  const char *host;              /* whose disk it is; NULL: this machine's */
  const char *disk;              /* what it is called there */
  const char *parent;            /* NULL: the job copies all. Else 8 digits or more of the point from which is taken */
                                 /* what a bitmap does not name; or "latest", if the disk has its checkpoint */
  const char *tag;               /* a word on the point; NULL: none */
  uint64_t disk_bytes;           /* of the disk: it is the device's capacity */
  uint32_t repository_length;    /* 1 to 4095 bytes, no NUL inside */
  uint32_t password_file_length; /* 0 to 4095 bytes */
  uint32_t host_length;          /* 0 to 200 bytes */
  uint32_t disk_length;          /* 1 to 200 bytes */
  uint32_t parent_length;        /* 0 to 64 bytes */
  uint32_t tag_length;           /* 0 to 200 bytes */
  uint32_t chunk_bytes;          /* 128 KiB to 8 MiB, at most the engine's; 0: the parent's, else by the size */
  uint32_t pack_bytes;           /* of the repository's files: 16 to 128 MiB, four in memory; 0 = 16 MiB */
} fb_repository_options;

/* [setup] Opens the repository and locks it, as others may too, until the point is there or the device is closed. Reads
 * its index: waits for the store. The device is the target of one job: with sync full, or with a parent a bitmap; its
 * clusters are chunks unless cluster_bytes says more. A job that starts with a checkpoint (fb_checkpoint_add)
 * names that in the point. Error policy ignore and bitmap mode always do not go with it.
 *   FB_OK, FB_E_INVALID (also: no such repository, a wrong password), FB_E_HANDLE, FB_E_STATE (locked), FB_E_IO,
 *   FB_E_NO_SPACE, FB_E_NO_MEMORY; the error text is a sentence that names the value, and never the password */
FB_API fb_status FB_CALL fb_repository_open(fb_engine engine, const fb_repository_options *options, fb_device *out);

/* [any] The point that the job has made: 64 digits and a NUL, cut at capacity; length is that of all. Durable
 * when the job has ended with FB_OK. With capacity 0 point and length may be NULL.
 *   FB_OK; FB_E_STATE: there is none, and the error text says what went wrong; FB_E_INVALID (no such device),
 *   FB_E_HANDLE */
FB_API fb_status FB_CALL fb_repository_point(fb_device device, char *point, uint32_t capacity, uint32_t *length);

/* A device that the host brings: its own block layer under the engine. */
#define FB_IO_READ 0u
#define FB_IO_WRITE 1u
#define FB_IO_WRITE_ZEROES 2u
#define FB_IO_DISCARD 3u
#define FB_IO_FLUSH 4u /* no range; everything completed before is durable afterwards */

#define FB_IO_FUA 1u       /* durable when it completes */
#define FB_IO_MAY_UNMAP 2u /* write zeroes: may deallocate */

typedef struct fb_io_request {
  uint64_t token;     /* for fb_device_complete */
  uint64_t offset;
  uint64_t length;
  void *buffer;       /* read: to fill in; write: to take from; else NULL. Valid until completed */
  uint32_t operation; /* FB_IO_READ ... */
  uint32_t flags;     /* FB_IO_FUA, FB_IO_MAY_UNMAP */
} fb_io_request;

#define FB_HOST_DEVICE_READ_ONLY 1u
#define FB_HOST_DEVICE_ZEROED 2u        /* everything reads as zero now */
#define FB_HOST_DEVICE_WRITE_ZEROES 4u  /* submit takes FB_IO_WRITE_ZEROES; else zeroes are written */
#define FB_HOST_DEVICE_DISCARD 8u       /* submit takes FB_IO_DISCARD; else discards do nothing */

typedef struct fb_device_ops {
  uint32_t struct_size;
  uint32_t flags;          /* FB_HOST_DEVICE_* */
  uint64_t capacity_bytes; /* a multiple of request_align */
  uint32_t request_align;  /* a power of two, 1 to 65536; 0 = 1. Others never arrive: they fail with FB_E_ALIGN */
  uint32_t in_flight_max;  /* requests given to the host at once: 4 to 4096; 0 = 256 */
  fb_queue queue;          /* whose polling thread makes the calls; zero: the engine's own thread */
  void *context;
  /* Carries a request out, or starts to. Must not block and must not unwind.
   *   FB_OK       done already
   *   FB_PENDING  fb_device_complete will be called once, now or later, on any thread
   *   negative    failed; sys_errno is EIO */
  fb_status(FB_CALL *submit)(void *context, const fb_io_request *request);
  void(FB_CALL *release)(void *context); /* may be NULL; once: after the last call, also if registering failed */
  /* Of in_flight_max, how many at once for readers of snapshots, and how many for the jobs' own progress; 0 = 2. What
   * a guest's write waits for comes before all that the host has not been given yet, but behind what it has: so few
   * for a device that works on one request at a time, more for one that works on many. */
  uint32_t lower_in_flight_max; /* 1 to in_flight_max */
  uint32_t reserved;            /* 0 */
} fb_device_ops;

/* [setup] FB_OK, FB_E_INVALID, FB_E_HANDLE, FB_E_ALIGN, FB_E_UNSUPPORTED. */
FB_API fb_status FB_CALL fb_device_register(fb_engine engine, const fb_device_ops *ops, fb_device *out);

/* [any] Ends a request of a host device. status: FB_OK or an error; sys_errno: 0 or the cause.
 *   FB_OK, FB_E_INVALID (status above 0), FB_E_HANDLE; FB_E_STATE: no such request is open (completed before) */
FB_API fb_status FB_CALL fb_device_complete(fb_device device, uint64_t token, fb_status status, int32_t sys_errno);

/* [setup] FB_OK, FB_E_INVALID, FB_E_HANDLE. */
FB_API fb_status FB_CALL fb_device_query(fb_device device, fb_device_state *out);

/* [setup] Requests of ended jobs that are still in flight, at a device that does not answer, do not hold it up. The
 * file is closed when the last has ended. A host device gets no call from now on but may still end what it has: until
 * then the buffers stay valid, fb_device_complete takes the old handle, and release waits, at the latest for
 * fb_engine_close.
 *   FB_OK, FB_E_HANDLE; FB_E_STATE: a disk or a job uses it */
FB_API fb_status FB_CALL fb_device_close(fb_device device);

/* ---- 7. Bitmaps: what is dirty --------------------------------------------------------------------------------- */

/* One bit per granule of a range of bytes. Bitmaps of their own (fb_bitmap_create) belong to the host and need no
 * engine. Bitmaps of a disk (section 8) are set by the disk's writes: reading them is as for others, changing them
 * is FB_E_STATE here and done by fb_disk_bitmap_*. */

#define FB_BITMAP_RESIDENT 1u /* take all memory now, not at the first mark */

typedef struct fb_bitmap_options {
  uint32_t struct_size;
  uint32_t flags;             /* FB_BITMAP_RESIDENT */
  uint64_t size_bytes;        /* 0 to 2^63; need not be a multiple of anything */
  uint64_t size_max_bytes;    /* room for growth without a copy; 0 = size_bytes */
  uint64_t granularity_bytes; /* a power of two, 1 to 2^31; at most 2^41 granules */
} fb_bitmap_options;

#define FB_BITMAP_IS_OF_DISK 1u
#define FB_BITMAP_IS_BUSY 2u    /* a job uses it: newer writes are kept apart until the job ends */
#define FB_BITMAP_IS_ENABLED 4u /* of a disk: guest writes are recorded */

typedef struct fb_bitmap_state {
  uint32_t struct_size;
  uint32_t flags; /* FB_BITMAP_IS_* */
  uint64_t size_bytes;
  uint64_t granularity_bytes;
  uint64_t granule_count;
  uint64_t dirty_granules;
  uint64_t dirty_bytes;
} fb_bitmap_state;

typedef struct fb_extent {
  uint64_t offset;
  uint64_t length;
} fb_extent;

/* [any] All clean. FB_OK, FB_E_INVALID (granularity), FB_E_RANGE (size), FB_E_NO_MEMORY, FB_E_UNSUPPORTED. */
FB_API fb_status FB_CALL fb_bitmap_create(const fb_bitmap_options *options, fb_bitmap *out);

/* [any] FB_OK, FB_E_HANDLE; FB_E_STATE: it belongs to a disk. Cost: 1 ms, the memory goes once no call uses it. */
FB_API fb_status FB_CALL fb_bitmap_close(fb_bitmap bitmap);

/* [any] I/O path. Sets every granule that the range touches, beside other threads that do the same. Wait-free,
 * without a system call, 8 ns. length may be 0.
 *   FB_OK, FB_E_HANDLE, FB_E_STATE (of a disk); FB_E_RANGE: passes the end, nothing was set */
FB_API fb_status FB_CALL fb_bitmap_mark(fb_bitmap bitmap, uint64_t offset, uint64_t length);

/* [exclusive] As fb_bitmap_mark, at the speed of memory: for long ranges. */
FB_API fb_status FB_CALL fb_bitmap_set(fb_bitmap bitmap, uint64_t offset, uint64_t length);

/* [any] Clears whole granules. offset on the granularity; length too, unless the range ends at the size.
 *   FB_OK, FB_E_HANDLE, FB_E_STATE, FB_E_RANGE, FB_E_ALIGN; after an error nothing has changed */
FB_API fb_status FB_CALL fb_bitmap_reset(fb_bitmap bitmap, uint64_t offset, uint64_t length);

/* [exclusive] Clears everything. FB_OK, FB_E_HANDLE, FB_E_STATE. Cost: dirty lines of 64 bytes. */
FB_API fb_status FB_CALL fb_bitmap_reset_all(fb_bitmap bitmap);

/* [any] dirty: 1 or 0. FB_OK, FB_E_INVALID, FB_E_HANDLE, FB_E_RANGE. */
FB_API fb_status FB_CALL fb_bitmap_get(fb_bitmap bitmap, uint64_t offset, uint32_t *dirty);

/* [any] Sizes, counts and state at once; the counts are exact while nobody sets. FB_OK, FB_E_INVALID, FB_E_HANDLE. */
FB_API fb_status FB_CALL fb_bitmap_query(fb_bitmap bitmap, fb_bitmap_state *out);

/* [any] Dirty granules among those that the range touches. FB_OK, FB_E_INVALID, FB_E_HANDLE, FB_E_RANGE. */
FB_API fb_status FB_CALL fb_bitmap_count(fb_bitmap bitmap, uint64_t offset, uint64_t length, uint64_t *granules);

/* [any] The first dirty (clean) byte of [start, end), or UINT64_MAX. end at most the size.
 *   FB_OK, FB_E_INVALID, FB_E_HANDLE, FB_E_RANGE */
FB_API fb_status FB_CALL fb_bitmap_next_dirty(fb_bitmap bitmap, uint64_t start, uint64_t end, uint64_t *found);
FB_API fb_status FB_CALL fb_bitmap_next_zero(fb_bitmap bitmap, uint64_t start, uint64_t end, uint64_t *found);

/* [any] The first run of dirty bytes of [start, end), cut at end and at max_length (1 at least); length 0: none.
 *   FB_OK, FB_E_INVALID, FB_E_HANDLE, FB_E_RANGE */
FB_API fb_status FB_CALL fb_bitmap_next_dirty_area(fb_bitmap bitmap, uint64_t start, uint64_t end,
                                                   uint64_t max_length, fb_extent *area);

/* [any] The state of the byte at start, and how far it stays so: 1 to length. FB_OK, FB_E_INVALID (length 0),
 * FB_E_HANDLE, FB_E_RANGE. */
FB_API fb_status FB_CALL fb_bitmap_status(fb_bitmap bitmap, uint64_t start, uint64_t length, uint32_t *dirty,
                                          uint64_t *run_length);

/* [any] Changed areas, page by page: fills areas with the runs of dirty bytes from *position on, ascending, and moves
 * *position behind the last one. Begin with 0; the end is a return of 0. Iterate a bitmap that stands still: a busy
 * one of a disk, or what fb_bitmap_drain moved out.
 *   0 to capacity  areas filled in
 *   FB_E_INVALID (NULL, capacity 0), FB_E_HANDLE, FB_E_RANGE (position past the size) */
FB_API int32_t FB_CALL fb_bitmap_areas(fb_bitmap bitmap, uint64_t *position, fb_extent *areas, uint32_t capacity);

/* [exclusive] on result. result = left or right, rounded outwards where granularities differ. result may be either.
 *   FB_OK, FB_E_HANDLE, FB_E_STATE (result); FB_E_RANGE: a dirty byte lies past the end of result */
FB_API fb_status FB_CALL fb_bitmap_merge(fb_bitmap left, fb_bitmap right, fb_bitmap result);

/* [exclusive] on bitmap. bitmap &= other; bitmap &= ~other. FB_E_INVALID: sizes or granularities differ. */
FB_API fb_status FB_CALL fb_bitmap_and(fb_bitmap bitmap, fb_bitmap other);
FB_API fb_status FB_CALL fb_bitmap_and_not(fb_bitmap bitmap, fb_bitmap other);

/* [exclusive] Dirty becomes clean and the reverse. FB_OK, FB_E_HANDLE, FB_E_STATE. */
FB_API fb_status FB_CALL fb_bitmap_invert(fb_bitmap bitmap);

/* [any] equal: 1 when size, granularity and bits are the same. FB_OK, FB_E_INVALID, FB_E_HANDLE. */
FB_API fb_status FB_CALL fb_bitmap_equal(fb_bitmap left, fb_bitmap right, uint32_t *equal);

/* [any] on from, [exclusive] on into. Moves every dirty bit out of a live bitmap while others mark it: what was marked
 * before the call is moved, what is marked meanwhile is in one of the two. Same size and granularity.
 *   FB_OK, FB_E_INVALID (shapes differ, or the same), FB_E_HANDLE, FB_E_STATE */
FB_API fb_status FB_CALL fb_bitmap_drain(fb_bitmap from, fb_bitmap into);

/* [exclusive] Changes the size: growth is clean, shrinking forgets exactly what lies past the new end.
 *   FB_OK, FB_E_HANDLE, FB_E_STATE, FB_E_RANGE, FB_E_NO_MEMORY; after an error nothing has changed */
FB_API fb_status FB_CALL fb_bitmap_truncate(fb_bitmap bitmap, uint64_t size_bytes);

/* [any] SHA-256 of the serialised form of the whole bitmap, as QEMU's x-debug-block-dirty-bitmap-sha256 has it: for
 * comparing. hash: 32 bytes. 5 ns a byte. FB_OK, FB_E_INVALID, FB_E_HANDLE. */
FB_API fb_status FB_CALL fb_bitmap_sha256(fb_bitmap bitmap, void *hash);

/* Serialised form: the bits as 64-bit little-endian words, granule 0 lowest. Parts begin on the alignment and end on
 * it or at the size. [any] to write; [exclusive] to load. Bits past the size are dropped when loaded.
 *   FB_OK, FB_E_INVALID (NULL, capacity too small), FB_E_HANDLE, FB_E_STATE, FB_E_RANGE, FB_E_ALIGN */
FB_API fb_status FB_CALL fb_bitmap_serialize_align(fb_bitmap bitmap, uint64_t *align_bytes);
FB_API fb_status FB_CALL fb_bitmap_serialize_size(fb_bitmap bitmap, uint64_t offset, uint64_t length,
                                                  uint64_t *serialized_bytes);
FB_API fb_status FB_CALL fb_bitmap_serialize_part(fb_bitmap bitmap, uint64_t offset, uint64_t length, void *buffer,
                                                  uint64_t capacity);
FB_API fb_status FB_CALL fb_bitmap_deserialize_part(fb_bitmap bitmap, uint64_t offset, uint64_t length,
                                                    const void *buffer, uint64_t capacity);
FB_API fb_status FB_CALL fb_bitmap_deserialize_zeroes(fb_bitmap bitmap, uint64_t offset, uint64_t length);
FB_API fb_status FB_CALL fb_bitmap_deserialize_ones(fb_bitmap bitmap, uint64_t offset, uint64_t length);
/* Ends a load; FB_E_STATE when no part was loaded since the last end. */
FB_API fb_status FB_CALL fb_bitmap_deserialize_finish(fb_bitmap bitmap);

/* ---- 8. Disks: what the guest writes to ------------------------------------------------------------------------ */

/* A disk is a device with a gate that every guest write passes. Two ways to use it:
 *
 *   hook mode    the host keeps its I/O path and asks leave       device mode   the engine does the I/O
 *
 *   fb_disk_write_begin -- FB_OK ------------.                    fb_disk_write, fb_disk_read, ...
 *        | FB_PENDING                        v                        `-- one completion each
 *        `-- completion, FB_OK --> the host writes its data
 *        |                                   `-- fb_disk_write_end, once, also if the write failed
 *        `-- completion, error: the guest write must fail; no write_end
 *
 * Writes, write-zeroes and discards all go through begin and end. Reads need no leave. Until every write that was
 * granted has ended no point in time can be taken: a lost fb_disk_write_end holds jobs and bitmap changes for ever, one
 * too many does as well; other writes wait for that half a second at a time. */

typedef struct fb_disk_options {
  uint32_t struct_size;
  uint32_t flags;        /* 0 */
  const char *name;      /* UTF-8: the name of jobs without an id, and in messages */
  uint32_t name_length;  /* 1 to 255 */
  uint32_t waiting_max;  /* guest requests that may wait or be at the device at once: a power of two, 2 to 65536;
                            0 = 1024 */
  uint64_t absorb_bytes; /* device mode: memory for writes that are answered before they land, while a job protects the
                            disk; 0 = none is, at most 1 GiB. See below */
} fb_disk_options;

typedef struct fb_disk_state {
  uint32_t struct_size;
  uint32_t flags; /* 0 */
  uint64_t capacity_bytes;
  int64_t writes_in_flight; /* granted and not ended */
  uint32_t waiting_count;   /* requests that wait for a copy or a quiesced moment */
  uint32_t bitmap_count;
  uint32_t job_count;
  uint32_t tracker;         /* FB_TRACKER_* */
  uint32_t tracker_restart; /* FB_RESTART_*; 0 while no tracker is attached */
  uint32_t reserved;
} fb_disk_state;

/* Whether the tracker knows what has changed. */
#define FB_TRACKER_NONE 0u  /* none is attached */
#define FB_TRACKER_GOOD 1u
#define FB_TRACKER_FAILED 2u /* inconsistent: detach it, and attach it again before the next full backup */

/* Why a tracker that was attached counts all of the disk as changed: the next backup is a full one. */
#define FB_RESTART_NONE 0u           /* it does not, or it was new */
#define FB_RESTART_INCONSISTENT 1u   /* it had missed changes: its storage had failed */
#define FB_RESTART_FOREIGN_WRITES 2u /* the disk was written to while nobody tracked it */

/* With absorb_bytes a disk has a volatile write cache while a point in time protects it, as a guest knows it from real
 * disks: fb_disk_submit answers a write when its data is in memory and its old data safe or being read. Reads see it;
 * a flush, or a write with FB_IO_FUA, is answered when all that was answered before has landed. It holds a few
 * milliseconds of writes at most, and nothing once the job has left the disk. What was not flushed is lost when the
 * process dies, and when the device fails such a write every flush from then on says so. Not for a host that reads or
 * maps the device past the engine, nor for clients that reconnect to another process and go on without a flush. */

/* [setup] One disk per device. FB_OK, FB_E_INVALID, FB_E_HANDLE, FB_E_STATE (the device has a disk or is a target),
 * FB_E_UNSUPPORTED. */
FB_API fb_status FB_CALL fb_disk_open(fb_engine engine, fb_device device, const fb_disk_options *options,
                                      fb_disk *out);

/* [setup] Its bitmaps become bitmaps of their own, and stay open.
 *   FB_OK, FB_E_HANDLE; FB_E_STATE: jobs are open, a tracker is attached, a monitor exports it, or requests of guests
 *   or granted writes have not ended */
FB_API fb_status FB_CALL fb_disk_close(fb_disk disk);

/* [setup] FB_OK, FB_E_INVALID, FB_E_HANDLE. */
FB_API fb_status FB_CALL fb_disk_query(fb_disk disk, fb_disk_state *out);

/* [setup] Makes the disk larger, and its bitmaps, which are clean there; in a quiesced moment, in the order of changes,
 * with one completion (FB_COMPLETION_DISK_CHANGE). A file is made longer if need be, and stays so when the completion
 * is an error; so is a qcow2 image, while guests write, and what is new of it is zero. A block device, a read-only file
 * and a device of the host must have so many bytes already. A tracker grows with the disk, for which writes wait some
 * milliseconds; what is new counts as changed.
 *   FB_PENDING, FB_E_HANDLE, FB_E_QUEUE_FULL, FB_E_NO_MEMORY, FB_E_NO_SPACE, FB_E_IO, FB_E_RANGE (too many granules);
 *   FB_E_INVALID: below its size, above 2^63 - 1, more than the device has, or no multiple of the request_align of a
 *   device of the host, or more than its tracker or its image can have; FB_E_STATE, here or as the completion: jobs of
 *   the disk are open, its checkpoints are in use, or its image is becoming larger already */
FB_API fb_status FB_CALL fb_disk_grow(fb_disk disk, uint64_t size_bytes, fb_queue queue, uint64_t user_data);

/* [any] I/O path. Asks leave to overwrite the range; any alignment, length may be 0.
 *   FB_OK            write now; wait-free
 *   FB_PENDING       old data is being saved, or a point in time is being taken: write after the completion
 *   FB_E_RANGE       passes the end. FB_E_QUEUE_FULL: as many wait as may. FB_E_HANDLE: disk or queue */
FB_API fb_status FB_CALL fb_disk_write_begin(fb_disk disk, fb_queue queue, uint64_t offset, uint64_t length,
                                             uint64_t user_data);

/* [any] I/O path. Once for each write that was granted, when it has landed or failed. FB_OK, FB_E_HANDLE. */
FB_API fb_status FB_CALL fb_disk_write_end(fb_disk disk);

#define FB_REQUEST_READ 1u
#define FB_REQUEST_WRITE 2u
#define FB_REQUEST_FLUSH 3u

/* [any] I/O path, hook mode, optional. What the host's own device took for one request of the guest, from its
 *   submission there to its end: without the wait for a grant. With it a job knows the tails of reads, writes and
 *   flushes and gives way to each; without it only the mean of the writes. For all requests of a disk or for none: a
 *   sample is as good as all if it is fair. Wait-free, no clock, no system call; some may be left out under load.
 *   length is 0 for a flush. FB_OK, FB_E_INVALID (kind), FB_E_HANDLE */
FB_API fb_status FB_CALL fb_disk_report_request(fb_disk disk, uint32_t kind, uint64_t length, uint64_t elapsed_ns);

/* Hook mode, "must read, may back up": what the host reads for its guest anyway need not be read again by a job with
 * FB_BACKUP_TAKE_GUEST_READS. Ask for the epoch before the read goes to the device; offer its data when it came back.
 *
 * [any] I/O path, wait-free. FB_OK, FB_E_INVALID, FB_E_HANDLE. */
FB_API fb_status FB_CALL fb_disk_read_epoch(fb_disk disk, uint64_t *epoch);
/* [any] I/O path. A hint: data that came too late, or of parts of clusters, is left alone.
 *   FB_OK       nobody wants it: the buffer was not looked at
 *   FB_PENDING  the buffer must stay as it is until the completion
 *   FB_E_INVALID, FB_E_HANDLE, FB_E_RANGE; FB_E_QUEUE_FULL: never mind */
FB_API fb_status FB_CALL fb_disk_offer_read(fb_disk disk, fb_queue queue, uint64_t epoch, const void *buffer,
                                            uint64_t offset, uint64_t length, uint64_t user_data);

/* [any] Device mode. Any alignment; on the device's alignment they are faster. flags: FB_IO_*.
 *   FB_PENDING, FB_E_INVALID, FB_E_HANDLE, FB_E_RANGE, FB_E_QUEUE_FULL, FB_E_UNSUPPORTED */
FB_API fb_status FB_CALL fb_disk_read(fb_disk disk, fb_queue queue, void *buffer, uint64_t offset, uint64_t length,
                                      uint64_t user_data);
FB_API fb_status FB_CALL fb_disk_write(fb_disk disk, fb_queue queue, const void *buffer, uint64_t offset,
                                       uint64_t length, uint32_t flags, uint64_t user_data);
FB_API fb_status FB_CALL fb_disk_write_zeroes(fb_disk disk, fb_queue queue, uint64_t offset, uint64_t length,
                                              uint32_t flags, uint64_t user_data);
FB_API fb_status FB_CALL fb_disk_discard(fb_disk disk, fb_queue queue, uint64_t offset, uint64_t length,
                                         uint64_t user_data);
FB_API fb_status FB_CALL fb_disk_flush(fb_disk disk, fb_queue queue, uint64_t user_data);

/* Bitmaps of a disk: each records guest writes. Changes happen in quiesced moments, so that no write falls between two
 * states, and in the order of these calls, whatever other disks they concern; the completion tells (FB_E_STATE: a job
 * or another change has taken the bitmap, its source or its name meanwhile, and nothing was changed).
 * [setup] FB_PENDING, FB_E_INVALID, FB_E_HANDLE, FB_E_STATE (name in use, busy), FB_E_QUEUE_FULL, FB_E_NO_MEMORY. */

#define FB_DISK_BITMAP_DISABLED 1u /* records nothing until enabled */

/* name: 1 to 1023 bytes. granularity: a power of two, 512 to 2^31; 0 = 64 KiB. *out is open from now on, and of the
 * disk once the completion came with FB_OK; after an error close it. */
FB_API fb_status FB_CALL fb_disk_bitmap_add(fb_disk disk, const char *name, uint32_t name_length,
                                            uint64_t granularity, uint32_t flags, fb_queue queue, uint64_t user_data,
                                            fb_bitmap *out);
/* It stops recording and becomes a bitmap of its own, to be read and closed. */
FB_API fb_status FB_CALL fb_disk_bitmap_remove(fb_disk disk, fb_bitmap bitmap, fb_queue queue, uint64_t user_data);
FB_API fb_status FB_CALL fb_disk_bitmap_clear(fb_disk disk, fb_bitmap bitmap, fb_queue queue, uint64_t user_data);
FB_API fb_status FB_CALL fb_disk_bitmap_enable(fb_disk disk, fb_bitmap bitmap, uint32_t enabled, fb_queue queue,
                                               uint64_t user_data);
/* Adds what source names: any bitmap of the same size. One of another disk of the engine is read in a moment in which
 * that disk is quiet, too; one of the host's own is read by this call. */
FB_API fb_status FB_CALL fb_disk_bitmap_merge(fb_disk disk, fb_bitmap bitmap, fb_bitmap source, fb_queue queue,
                                              uint64_t user_data);
/* [setup] The bitmap of a name. FB_OK, FB_E_INVALID, FB_E_HANDLE, FB_E_STATE: no such bitmap. */
FB_API fb_status FB_CALL fb_disk_bitmap_find(fb_disk disk, const char *name, uint32_t name_length, fb_bitmap *out);

/* Trackers: files beside a disk (files and block devices of this machine) that say what has changed on it since its
 * last backup by "fastbackup backup --tracker", also after a kill or a power cut; see docs/tracking.md. All these calls
 * wait for storage; while they do, an engine that its host drives is driven by them.
 * [setup] FB_OK, FB_E_INVALID (no tracker, or another disk's; the text has the reason), FB_E_HANDLE, FB_E_STATE,
 * FB_E_IO, FB_E_NO_SPACE, FB_E_NO_MEMORY. */

/* Makes one for the disk of a device, to which nobody writes: everything counts as changed. granularity: a power of
 * two, 2^12 to 2^22; 0 = 64 KiB. */
FB_API fb_status FB_CALL fb_tracker_create(fb_device device, const char *path, uint32_t path_length,
                                           uint64_t granularity);
/* What has changed, as a bitmap of its own. FB_E_STATE: the tracker cannot tell (inconsistent, foreign-writes). */
FB_API fb_status FB_CALL fb_tracker_read(fb_device device, const char *path, uint32_t path_length, fb_bitmap *out);
/* Before the first write: from here on what guests write is tracked. A write waits for the tracker 10 s at most; then,
 * or when its storage fails, the tracker is inconsistent and guests go on. Bitmaps that a monitor's client has made
 * persistent are the disk's again; calls that would change one answer FB_E_STATE. fb_disk_query says later how it is,
 * and why it has begun anew.
 *   FB_E_STATE: granted writes have not ended, or the file is in use; FB_E_TIMED_OUT: writes could not wait so long */
FB_API fb_status FB_CALL fb_disk_tracker_attach(fb_disk disk, const char *path, uint32_t path_length);
/* After the last write, before fb_disk_close. FB_E_IO: it is inconsistent. FB_E_STATE: there is none, or granted writes
 * have not ended; then nothing has changed. */
FB_API fb_status FB_CALL fb_disk_tracker_detach(fb_disk disk);

/* Checkpoints: named points of an attached tracker, 64 at most. The tracker keeps what has changed since each; they
 * outlive the process, and a power cut, as it does. See docs/tracking.md.
 * [setup] These calls wait for storage as those above do. FB_E_HANDLE, FB_E_INVALID, FB_E_IO, FB_E_NO_SPACE,
 * FB_E_NO_MEMORY; FB_E_STATE: no tracker is attached, it is inconsistent, or another operation has the disk's
 * checkpoints in hand. */

/* One of this name on each disk, all of one instant; and jobs, if there are any, which start at that instant as
 * fb_transaction_start starts them: an incremental's bitmap since the last checkpoint is then all up to this one.
 * The completion (FB_COMPLETION_DISK_CHANGE) comes when all are durable. After an error that comes with it no job has
 * started, or all have been cancelled, and the disks have no checkpoint more, or an inconsistent tracker. A copy that
 * fails later leaves the checkpoint: delete it.
 *   FB_PENDING; FB_E_QUEUE_FULL, FB_E_TIMED_OUT (storage); FB_E_INVALID: 0 disks or more than 256, a disk named twice,
 *   the name in use or not of 1 to 1023 bytes, 64 are there, and as fb_transaction_start */
FB_API fb_status FB_CALL fb_checkpoint_add(const fb_disk *disks, uint32_t disk_count, const char *name,
                                           uint32_t name_length, const fb_job *jobs, const uint64_t *job_user_data,
                                           uint32_t job_count, uint32_t transaction_flags, fb_queue queue,
                                           uint64_t user_data);
/* What has changed since it is still known since the one before. FB_OK when that is durable; FB_E_TIMED_OUT: it may
 * still happen. */
FB_API fb_status FB_CALL fb_checkpoint_delete(fb_disk disk, const char *name, uint32_t name_length);

typedef struct fb_checkpoint {
  uint32_t struct_size;
  uint32_t name_length;
  uint64_t created_ns;    /* since 1970 */
  uint64_t changed_bytes; /* since it, in granules of the tracker */
} fb_checkpoint;

/* Those that are there, oldest first. The name is cut at capacity and NUL-terminated. Costs a look at all maps that are
 * younger. FB_OK; FB_E_RANGE: no such index. */
FB_API fb_status FB_CALL fb_checkpoint_get(fb_disk disk, uint32_t index, char *name, uint32_t capacity,
                                           fb_checkpoint *out);
/* As fb_disk_bitmap_add, but the bitmap has what has changed since a checkpoint: all of it when the completion comes
 * with FB_OK, and it goes on recording. Until then it is busy. */
FB_API fb_status FB_CALL fb_checkpoint_bitmap(fb_disk disk, const char *since, uint32_t since_length,
                                              const char *name, uint32_t name_length, uint64_t granularity,
                                              fb_queue queue, uint64_t user_data, fb_bitmap *out);

/* ---- 9. Jobs --------------------------------------------------------------------------------------------------- */

#define FB_SYNC_FULL 0u        /* everything; holes become holes or zeroes */
#define FB_SYNC_TOP 1u         /* what is allocated; the rest of the target is left alone */
#define FB_SYNC_INCREMENTAL 2u /* what the bitmap names; cleared on success */
#define FB_SYNC_BITMAP 3u      /* what the bitmap names; bitmap_mode says what becomes of it */
#define FB_SYNC_NONE 4u        /* only what guests overwrite, until cancelled: for snapshot reads */

#define FB_BITMAP_MODE_DEFAULT 0u    /* none without a bitmap; on success with FB_SYNC_INCREMENTAL */
#define FB_BITMAP_MODE_ON_SUCCESS 1u /* success: only writes since the start. Failure: nothing is forgotten */
#define FB_BITMAP_MODE_NEVER 2u      /* keeps what it had and gains writes since */
#define FB_BITMAP_MODE_ALWAYS 3u     /* what was not copied, and writes since */

/* Of reads, writes, and questions for a device's size that fail. A flush that fails, and a size that has changed, end
 * the job whatever is said here. */
#define FB_ON_ERROR_REPORT 0u /* the job fails */
#define FB_ON_ERROR_IGNORE 1u /* again, for as long as it takes */
#define FB_ON_ERROR_STOP 2u   /* the job pauses; resume tries again */
#define FB_ON_ERROR_ENOSPC 3u /* stop when there is no space, else report */

#define FB_ON_CBW_ERROR_BREAK_SNAPSHOT 0u    /* the guest goes on, the job fails */
#define FB_ON_CBW_ERROR_BREAK_GUEST_WRITE 1u /* the guest's write fails, the snapshot stays */

#define FB_BACKUP_MANUAL_FINALIZE 1u /* wait for fb_job_finalize before results become final */
#define FB_BACKUP_MANUAL_DISMISS 2u  /* keep the id taken until fb_job_dismiss */
#define FB_BACKUP_SNAPSHOT 4u        /* fb_snapshot_read is wanted; not with FB_SYNC_TOP */
#define FB_BACKUP_LARGER_TARGET 8u   /* the target may be larger than the disk; its rest is left alone */
#define FB_BACKUP_TAKE_GUEST_READS 16u /* copy what guests read from their memory: device mode, fb_disk_offer_read */

#define FB_GUEST_PRIORITY_BALANCED 0u /* the slowest hundredth of guests' requests stays below three times the usual */
#define FB_GUEST_PRIORITY_STRICT 1u   /* guests hardly feel the backup, whatever that costs it in speed */
#define FB_GUEST_PRIORITY_OFF 2u      /* the backup looks for its own full rate only */

#define FB_NO_TIMEOUT UINT32_MAX

#define FB_NO_WARM_UP 0xFFFFFFFFu

typedef struct fb_backup_options {
  uint32_t struct_size;
  uint32_t flags;           /* FB_BACKUP_* */
  uint32_t sync;            /* FB_SYNC_* */
  uint32_t bitmap_mode;     /* FB_BITMAP_MODE_* */
  fb_bitmap bitmap;         /* of the disk; zero: none */
  uint64_t speed;           /* bytes a second, 0 = unlimited; guests' copies are never delayed by it */
  uint32_t cluster_bytes;   /* a power of two, 4 KiB to the engine's chunk; 0 = 64 KiB */
  uint32_t task_max;        /* copies at once; 0 = 64 */
  uint32_t on_source_error; /* FB_ON_ERROR_* */
  uint32_t on_target_error;
  uint32_t on_cbw_error;    /* FB_ON_CBW_ERROR_*: who suffers when old data cannot be saved */
  uint32_t cbw_timeout_ms;  /* longest wait of a guest write; 0 = 30000, or FB_NO_TIMEOUT */
  const char *id;           /* UTF-8, unique in its engine while the job lives; NULL = the disk's name */
  uint32_t id_length;       /* 0 to 255 */
  uint32_t reserved;        /* 0 */
  uint64_t capture_bytes_max; /* memory for guests' copies until the target has them: one cluster at least; 0 = all of
                                 the engine's. Beyond it scratch takes over, then guests wait */
  uint64_t scratch_bytes_max; /* of scratch; 0 = all of it. Takes 28 bytes of memory a used cluster */
  fb_device scratch;          /* takes guests' copies when memory is full, its content is lost; zero: none */
  uint32_t guest_priority;    /* FB_GUEST_PRIORITY_* */
  uint32_t warm_ms;           /* device mode: for so long guests' writes are looked at before the point in time, so that
                                 it has what they overwrite first; at most 10000. 0 = up to 200 ms, where guests write
                                 much and the job is a long one; FB_NO_WARM_UP: none */
  const char *record;         /* path of a file that says what of the copy is not on the target for certain, so that it
                                 can be gone on with after an interruption (fb_backup_unfinished); NULL: none */
  uint32_t record_length;     /* 0 to 4095 bytes, no NUL inside */
  uint32_t record_since_length; /* with a record 1 to 1023, else 0 */
  const char *record_since;   /* a checkpoint of the disk that is there already */
} fb_backup_options;

/* [setup] A job in state created: nothing is read, written or frozen yet. options may be NULL: a full backup.
 * With a record this call waits for storage. The disk has a tracker, the target is a file or block device of this
 * machine, and sync is neither top nor none. The file is made, or has an older record of this disk and target. It is
 * written a second after the start, later every 32 s, each time behind a flush of the target, and at the end; a copy
 * that is whole takes it away.
 *   FB_OK, FB_E_INVALID, FB_E_HANDLE, FB_E_STATE (id in use, bitmap busy, target or scratch in use or does not answer),
 *   FB_E_NO_SPACE (target too small), FB_E_ALIGN, FB_E_NO_MEMORY, FB_E_UNSUPPORTED; the text names the value and the
 *   rule */
FB_API fb_status FB_CALL fb_backup_create(fb_disk disk, fb_device target, const fb_backup_options *options,
                                          fb_job *out);

/* As fb_checkpoint_bitmap, but the bitmap has what is left of an interrupted copy by its record, and what has changed
 * since the record's checkpoint: all in which the target may differ from the disk. A job with FB_SYNC_BITMAP and
 * FB_BITMAP_MODE_NEVER that copies it, best with the same record again, makes the target the disk at its own point in
 * time. target is the copy's, open for writing; that nobody else has written to it meanwhile is the host's to know.
 *   FB_E_INVALID: no whole record, of another disk, target or size, or the checkpoint is gone; the text says which */
FB_API fb_status FB_CALL fb_backup_unfinished(fb_disk disk, fb_device target, const char *record,
                                              uint32_t record_length, const char *name, uint32_t name_length,
                                              uint64_t granularity, fb_queue queue, uint64_t user_data,
                                              fb_bitmap *out);

/* [setup] Takes the point in time as soon as the guest writes under way have ended, and copies. The completion comes
 * when the job has ended: FB_OK, FB_E_CANCELED, or the root cause.
 *   FB_PENDING, FB_E_HANDLE, FB_E_STATE, FB_E_QUEUE_FULL */
FB_API fb_status FB_CALL fb_job_start(fb_job job, fb_queue queue, uint64_t user_data);

#define FB_TRANSACTION_SEQUENTIAL 1u /* one copy after the other, all of one point in time */

/* [setup] As fb_job_start for 1 to 256 jobs of one engine: one point in time, and all succeed or none does. One
 * completion per job, with user_data[i]. Nothing is started after an error. */
FB_API fb_status FB_CALL fb_transaction_start(const fb_job *jobs, const uint64_t *user_data, uint32_t count,
                                              uint32_t flags, fb_queue queue);

/* [setup] The verbs. FB_OK, FB_E_HANDLE; FB_E_STATE: not in the job's state. Cancel is a request: the completion says
 * what happened. It comes within 0.1 s also when a device does not answer: the job then ends without its last requests
 * (fb_device_close), and another job onto that target is refused with FB_E_STATE until they have ended. */
FB_API fb_status FB_CALL fb_job_pause(fb_job job);
FB_API fb_status FB_CALL fb_job_resume(fb_job job);
FB_API fb_status FB_CALL fb_job_cancel(fb_job job);
FB_API fb_status FB_CALL fb_job_set_speed(fb_job job, uint64_t bytes_per_second); /* also FB_E_INVALID: >= 2^63 */
FB_API fb_status FB_CALL fb_job_set_guest_priority(fb_job job, uint32_t guest_priority); /* also FB_E_INVALID */
FB_API fb_status FB_CALL fb_job_finalize(fb_job job);
FB_API fb_status FB_CALL fb_job_dismiss(fb_job job);

#define FB_JOB_NULL 0u /* ended and dismissed */
#define FB_JOB_CREATED 1u
#define FB_JOB_RUNNING 2u
#define FB_JOB_PAUSED 3u
#define FB_JOB_READY 4u
#define FB_JOB_STANDBY 5u
#define FB_JOB_WAITING 6u /* done; others of its transaction are not */
#define FB_JOB_PENDING 7u /* waits for finalize */
#define FB_JOB_ABORTING 8u
#define FB_JOB_CONCLUDED 9u

#define FB_JOB_IS_SOURCE_FAULT 1u /* the status is of the source, not the target */

typedef struct fb_job_state {
  uint32_t struct_size;
  uint32_t flags;              /* FB_JOB_IS_* */
  uint32_t state;              /* FB_JOB_NULL ... */
  fb_status status;            /* the root cause once it fails; FB_OK before and on success */
  int32_t sys_errno;
  fb_status paused_by;         /* the device error that paused it, or FB_OK */
  uint64_t offset;             /* of the fault, or UINT64_MAX */
  uint64_t total_bytes;
  uint64_t done_bytes;         /* never goes backwards; total_bytes exactly at success */
  uint64_t written_bytes;      /* bytes by cause: read and written */
  uint64_t skipped_zero_bytes; /* holes or zeroes that the target has already */
  uint64_t written_zero_bytes; /* made zero without being written out */
  uint64_t cbw_bytes;          /* the part that guests' writes asked for */
  uint64_t in_flight_bytes;
} fb_job_state;

/* [any] A consistent picture, also after the end, until closed. FB_OK, FB_E_INVALID, FB_E_HANDLE. */
FB_API fb_status FB_CALL fb_job_query(fb_job job, fb_job_state *out);

typedef struct fb_latency {
  uint32_t struct_size;
  uint32_t flags; /* 0 */
  uint64_t count; /* guest writes that waited for this job's copies */
  uint64_t sum_ns;
  uint64_t max_ns;
  uint64_t p50_ns; /* upper edges of buckets: at most twice the truth */
  uint64_t p90_ns;
  uint64_t p99_ns;
  uint64_t p999_ns;
} fb_latency;

/* [any] How long guest writes waited. FB_OK, FB_E_INVALID, FB_E_HANDLE. */
FB_API fb_status FB_CALL fb_job_latency(fb_job job, fb_latency *out);

typedef struct fb_latency_summary {
  uint64_t count;
  uint64_t sum_ns;
  uint64_t p50_ns; /* p50 and p99: at most an eighth too much */
  uint64_t p99_ns;
  uint64_t max_ns;
} fb_latency_summary; /* never grows */

typedef struct fb_statistics {
  uint32_t struct_size;
  uint32_t flags;               /* 0 */
  uint64_t window_bytes;        /* what the devices may have of the background now */
  uint64_t chunk_bytes;         /* and the longest single copy */
  uint64_t device_bytes;        /* what the devices have of this job */
  uint64_t capture_bytes;       /* memory that guests' copies hold */
  uint64_t capture_peak_bytes;  /* the most of it so far */
  uint64_t capture_limit_bytes;
  uint64_t scratch_bytes;       /* old data in scratch */
  uint64_t scratch_limit_bytes; /* 0: none */
  uint64_t spilled_bytes;       /* written to scratch so far */
  uint64_t offered_bytes;       /* taken from guests' reads so far */
  uint32_t background_chunks;   /* in flight */
  uint32_t guest_reads;         /* chunks being read for a guest that waits */
  uint32_t captured_chunks;     /* in memory, waiting for the target */
  uint32_t snapshot_reads;      /* in flight */
  uint32_t waiting_guests;      /* requests of the disk that wait, for this job or for others */
  uint32_t guest_priority;      /* FB_GUEST_PRIORITY_* */
  fb_status scratch_status;     /* why scratch takes nothing any more, or FB_OK */
  int32_t scratch_errno;
  fb_latency_summary guest_waits;   /* guest writes that waited for this job's copies */
  fb_latency_summary quiet_guests;  /* requests through the engine while no copy loaded the disk, since it was opened */
  fb_latency_summary loaded_guests; /* and while one did */
} fb_statistics;

/* [any] What a job has in its hands now, and how its guests fare; also after the end, until closed. Cost: 10 us.
 *   FB_OK, FB_E_INVALID, FB_E_HANDLE */
FB_API fb_status FB_CALL fb_job_statistics(fb_job job, fb_statistics *out);

/* [setup] The job of an id that lives. FB_OK, FB_E_INVALID, FB_E_HANDLE, FB_E_STATE: no such job. */
FB_API fb_status FB_CALL fb_job_find(fb_engine engine, const char *id, uint32_t id_length, fb_job *out);

/* [setup] Waits for the record of a job that has one, 10 s at most.
 *   FB_OK, FB_E_HANDLE; FB_E_STATE: it has started and not ended, or snapshot reads have not. */
FB_API fb_status FB_CALL fb_job_close(fb_job job);

/* [any] The disk as it was at the job's point in time, from the start of the job to its end; for jobs with
 * FB_BACKUP_SNAPSHOT. Completions: FB_E_SNAPSHOT_LOST; FB_E_INVALID with EACCES: not part of it (another bitmap's
 * areas, discarded). Discard aligns inwards to clusters and stops copying there.
 *   FB_PENDING, FB_E_INVALID, FB_E_HANDLE, FB_E_RANGE, FB_E_STATE (no snapshot, or not yet), FB_E_QUEUE_FULL */
FB_API fb_status FB_CALL fb_snapshot_read(fb_job job, fb_queue queue, void *buffer, uint64_t offset, uint64_t length,
                                          uint64_t user_data);
FB_API fb_status FB_CALL fb_snapshot_discard(fb_job job, fb_queue queue, uint64_t offset, uint64_t length,
                                             uint64_t user_data);

#define FB_SNAPSHOT_EXTENT_ZERO 1u /* reads as zeroes; else it may be anything, zeroes too */

typedef struct fb_snapshot_extent {
  uint64_t offset;
  uint64_t length;   /* at least 1 */
  uint32_t flags;    /* FB_SNAPSHOT_EXTENT_*; ignore bits you do not know */
  uint32_t reserved;
} fb_snapshot_extent;

/* [any] Which parts of the snapshot read as zeroes, as far as that is known without reading them: holes of the disk
 * and of what was copied already. Writes of the guest since the point in time change nothing of it, and none waits for
 * it. Fills extents, without gaps from offset on, until the range or the room ends, or earlier; the completion's bytes
 * are the sum of their lengths: ask again behind it. What is not part of the snapshot is not called zero. extents
 * belongs to the call until the completion. Completions and refusals as fb_snapshot_read; FB_E_INVALID: capacity 0. */
FB_API fb_status FB_CALL fb_snapshot_extents(fb_job job, fb_queue queue, uint64_t offset, uint64_t length,
                                             fb_snapshot_extent *extents, uint32_t capacity, uint64_t user_data);

/* [setup] The newest job of a disk whose point in time can be read now, whoever started it: for hosts that show the
 * frozen disk of jobs that a monitor's clients began. Not to be closed by whoever finds it.
 *   FB_OK, FB_E_INVALID, FB_E_HANDLE; FB_E_STATE: none */
FB_API fb_status FB_CALL fb_disk_snapshot(fb_disk disk, fb_job *out);

/* ---- 10. Events and log ---------------------------------------------------------------------------------------- */

#define FB_EVENT_JOB_STATE 1u    /* value: FB_JOB_* */
#define FB_EVENT_DEVICE_ERROR 2u /* status: the fault; value: FB_ON_ERROR_* that was done */
#define FB_EVENT_JOB_WAITS 3u    /* for fb_job_finalize */
#define FB_EVENT_JOB_ENDED 4u    /* status: FB_OK, FB_E_CANCELED, or the root cause */

#define FB_EVENT_IS_SOURCE 1u     /* of the source device, not the target */
#define FB_EVENT_IS_OF_MONITOR 2u /* of a job that a client of a monitor made: not to be closed by the host */

typedef struct fb_event {
  uint64_t sequence; /* 1, 2, 3 ...; a gap: the host came too late for those between */
  fb_job job;
  uint32_t kind;     /* FB_EVENT_*; ignore kinds you do not know */
  uint32_t value;
  fb_status status;
  int32_t sys_errno;
  uint64_t offset;
  uint32_t flags;    /* FB_EVENT_IS_* */
  uint32_t reserved;
} fb_event;

/* [any] What happened since *sequence (0: from the beginning), oldest first; moves *sequence to the last one returned.
 * The engine keeps the last 1024; any number of readers, each with its own sequence. event_size is sizeof(fb_event).
 *   0 to capacity, FB_E_INVALID, FB_E_HANDLE */
FB_API int32_t FB_CALL fb_engine_events(fb_engine engine, uint64_t *sequence, fb_event *events, uint32_t event_size,
                                        uint32_t capacity);

typedef struct fb_event_sink {
  uint32_t struct_size;
  uint32_t flags;                        /* 0 */
  void *context;
  void(FB_CALL *tell)(void *context, const fb_event *event); /* the event is the library's: copy what you need */
  void(FB_CALL *release)(void *context); /* may be NULL; once: when replaced, at close, or if this call fails */
} fb_event_sink;

/* [queue] Every event of the engine from now on, also of a monitor's jobs, once and in order. It is told inside
 * fb_queue_poll and fb_queue_dispatch of this queue, on their thread: while they wait, as soon as it happens, and they
 * go on waiting; the event fd is readable for it; the end of a job before the completion of its start. Of more than
 * 1024 that no poll has told yet the oldest are lost: the sequence shows it. Any number of queues may have a sink.
 * Inside tell everything may be called but polling, dispatching, closing and setting of the same queue (FB_E_STATE).
 * sink may be NULL: none from now on.
 *   FB_OK, FB_E_INVALID, FB_E_HANDLE, FB_E_STATE, FB_E_UNSUPPORTED */
FB_API fb_status FB_CALL fb_queue_set_events(fb_queue queue, const fb_event_sink *sink);

#define FB_LOG_ERROR 1u
#define FB_LOG_WARNING 2u
#define FB_LOG_NOTICE 3u

typedef struct fb_log_sink {
  uint32_t struct_size;
  uint32_t flags;                        /* 0 */
  uint32_t level_max;                    /* FB_LOG_*; 0 = FB_LOG_NOTICE */
  uint32_t reserved;                     /* 0 */
  void *context;
  void(FB_CALL *write)(void *context, uint32_t level, const char *text, uint32_t length); /* text ends with a NUL */
  void(FB_CALL *release)(void *context); /* may be NULL; once: when replaced, at close, or if this call fails */
} fb_log_sink;

/* [queue] One line per event, warning and stop of the engine, from now on, written inside fb_queue_poll and
 * fb_queue_dispatch of this queue, on their thread. sink may be NULL: none from now on.
 *   FB_OK, FB_E_INVALID, FB_E_HANDLE, FB_E_STATE, FB_E_UNSUPPORTED */
FB_API fb_status FB_CALL fb_queue_set_log(fb_queue queue, const fb_log_sink *sink);

/* ---- 11. Monitors ---------------------------------------------------------------------------------------------- */

/* A control socket for programs and people beside the host: what QEMU's monitor protocol (QMP) has for backups, so that
 * scripts for it work. native-api/docs/monitor.md has the commands. The host's disks are its nodes, by their names. */

typedef struct fb_monitor_options {
  uint32_t struct_size;
  uint32_t flags;       /* 0 */
  const char *path;     /* of the socket, UTF-8; its mode is 0600 */
  uint32_t path_length; /* 1 to 107 bytes */
  uint32_t reserved;    /* 0 */
} fb_monitor_options;

/* [setup] Makes the socket and starts one thread, fb-monitor. A socket where nobody listens is replaced. What clients
 * start goes on without them. Jobs that they make are closed when dismissed, and their bitmaps with the disk: a host
 * that finds one (fb_job_find, fb_disk_bitmap_find) may use the handle until then, not close it.
 *   FB_OK, FB_E_INVALID, FB_E_HANDLE, FB_E_IO, FB_E_NO_MEMORY, FB_E_UNSUPPORTED, FB_E_BUG; FB_E_STATE: somebody listens
 *   there, or it is no socket */
FB_API fb_status FB_CALL fb_monitor_open(fb_engine engine, const fb_monitor_options *options, fb_monitor *out);

/* [setup] Removes the socket, drops the clients, cancels the jobs that they started, waits for their ends (0.1 s) and
 * closes what they opened. Bitmaps that they made stay on their disks.
 *   FB_OK, FB_E_HANDLE; FB_E_STATE: this is a callback on the engine's thread, or after 2 s a granted write or a read
 *   of a snapshot has not ended: end it and call again; socket and clients are gone already */
FB_API fb_status FB_CALL fb_monitor_close(fb_monitor monitor);

/* ---- 12. NBD servers ------------------------------------------------------------------------------------------- */

/* Disks and their points in time for NBD clients (qemu, nbdcopy, nbdinfo, backup software), from inside the host: the
 * server runs on the engine's thread, without a thread of its own. What clients write goes the way of fb_disk_write,
 * past every point in time. native-api/docs/nbd.md says what it speaks, and how much of memory a client can hold. */

typedef struct fb_server_options {
  uint32_t struct_size;
  uint32_t flags;           /* 0 */
  const char *path;         /* of a unix socket, UTF-8, made with mode 0600; NULL: address */
  const char *address;      /* "127.0.0.1:10809", "[::1]:10809": of this machine only, as there is no TLS; NULL: path */
  uint32_t path_length;     /* 1 to 107 bytes; 0 with address */
  uint32_t address_length;  /* 0 with path */
  uint32_t connections_max; /* clients at once; further ones are closed. 0 = 64 */
  uint32_t reserved;        /* 0 */
} fb_server_options;

/* [setup] Listens, with nothing to show yet. A socket where nobody listens is replaced. In an engine that its host
 * drives, clients are served while it is driven.
 *   FB_OK, FB_E_INVALID, FB_E_HANDLE, FB_E_IO, FB_E_NO_MEMORY, FB_E_UNSUPPORTED, FB_E_BUG; FB_E_STATE: somebody listens
 *   there, or it is no socket */
FB_API fb_status FB_CALL fb_server_open(fb_engine engine, const fb_server_options *options, fb_server *out);

/* [setup] Listens no more, ends the clients' connections and takes the exports back.
 *   FB_OK, FB_E_HANDLE; FB_E_STATE: this is a callback on the engine's thread, or after 2 s requests of clients have
 *   not ended, as a device does not answer: call again; socket and clients are gone already */
FB_API fb_status FB_CALL fb_server_close(fb_server server);

#define FB_EXPORT_WRITABLE 1u    /* of a disk: clients may write; else they may not, whatever the disk is */
#define FB_EXPORT_ALL_BITMAPS 2u /* the disk's dirty bitmaps and checkpoints are contexts, as they are when asked for */

typedef struct fb_export_options {
  uint32_t struct_size;
  uint32_t flags;         /* FB_EXPORT_* */
  fb_disk disk;           /* the live disk; 0: a job */
  fb_job job;             /* its point in time (FB_BACKUP_SNAPSHOT, begun), read only; 0: a disk */
  const char *name;       /* as clients give it, UTF-8; the empty one is what they get that give none */
  const char *description; /* for people; may be NULL */
  const char *bitmap;     /* one of the disk's, as the context qemu:dirty-bitmap:NAME; NULL: none, or by flag all */
  uint32_t name_length;   /* 0 to 4096 bytes */
  uint32_t description_length;
  uint32_t bitmap_length;
  uint32_t reserved;      /* 0 */
} fb_export_options;

/* [setup] Shows a disk, or a point in time, from now on. Until it is taken back the disk cannot be closed; a job can
 * end: clients that read its point in time then get errors.
 *   FB_OK, FB_E_INVALID, FB_E_HANDLE, FB_E_UNSUPPORTED, FB_E_NO_MEMORY, FB_E_BUG; FB_E_STATE: the name is taken, or the
 *   job has no point in time that can be read */
FB_API fb_status FB_CALL fb_server_add_export(fb_server server, const fb_export_options *options);

#define FB_EXPORT_IF_UNUSED 1u /* with clients: FB_E_STATE, and nothing changes */

/* [setup] Takes an export back and ends its clients' connections.
 *   FB_OK, FB_E_HANDLE, FB_E_UNSUPPORTED, FB_E_BUG; FB_E_INVALID: there is none of this name; FB_E_STATE: it has
 *   clients, or after 2 s their requests have not ended: call again; nobody finds it any more */
FB_API fb_status FB_CALL fb_server_remove_export(fb_server server, const char *name, uint32_t name_length,
                                                 uint32_t flags);

typedef struct fb_server_state {
  uint32_t struct_size;
  uint32_t client_count; /* connections, before and after their handshake */
  uint32_t export_count;
  uint32_t reserved;
} fb_server_state;

/* [setup] How it stands now.
 *   FB_OK, FB_E_INVALID, FB_E_HANDLE, FB_E_BUG */
FB_API fb_status FB_CALL fb_server_get_state(fb_server server, fb_server_state *out);

#ifdef __cplusplus
} /* extern "C" */

template <typename T> inline T fb_init_of() {
  T value = T();
  value.struct_size = static_cast<uint32_t>(sizeof(T));
  return value;
}
#endif
#endif /* FASTBACKUP_H */
