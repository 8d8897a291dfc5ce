// What the engine uses of the kernel's io_uring interface, and what it is called here.
//
// The engine's code reads like the rest of it (entry->Offset, update.Count), so C's abbreviations are renamed in this
// one place; constants keep their names, under which the manual pages explain them. Only what is used is listed:
// newer kernels give names to spare bytes and members to unions, and the generated files must not depend on the
// headers that a machine happens to have. Everything below is in the headers of Linux 6.1 and later.
namespace FastBackup.Interop.Generator;

static class KernelTable
{
    public static readonly KernelStruct[] Structs =
    [
        new(
            "io_uring_sqe",
            "IoUringSqe",
            "Submission queue entry.",
            [
                new("opcode", "Opcode", "IORING_OP_*."),
                new("flags", "Flags", "IOSQE_* bits."),
                new("ioprio", "IoPriority", "RECV: IORING_RECVSEND_* bits."),
                new("fd", "Fd", "File descriptor, or the registered index with IOSQE_FIXED_FILE."),
                new("off", "Offset", "Where in the file."),
                new("addr", "Address", "Buffer address; for FALLOCATE the length."),
                new("len", "Length", "Buffer length; for FALLOCATE the mode."),
                new("rw_flags", "RwFlags", "READ, WRITE: RWF_* bits."),
                new("msg_flags", "MessageFlags", "RECV: MSG_* bits."),
                new("fsync_flags", "FsyncFlags", "FSYNC: IORING_FSYNC_* bits."),
                new("poll32_events", "PollEvents", "POLL_ADD: POLL* bits; halves swapped on big-endian machines."),
                new("user_data", "UserData", "Comes back in the completion."),
                new("buf_index", "BufferIndex", "READ_FIXED, WRITE_FIXED: the registered buffer."),
            ]
        ),
        new(
            "io_uring_cqe",
            "IoUringCqe",
            "Completion queue entry.",
            [
                new("user_data", "UserData", "Of the submission."),
                new("res", "Result", "Result, or a negative error number."),
                new("flags", "Flags", "IORING_CQE_F_* bits."),
            ]
        ),
        new(
            "io_sqring_offsets",
            "IoSqRingOffsets",
            "Where in the mapping the submission queue is.",
            [
                new("head", "Head"),
                new("tail", "Tail"),
                new("ring_mask", "RingMask"),
                new("ring_entries", "RingEntries"),
                new("flags", "Flags"),
                new("dropped", "Dropped"),
                new("array", "Array"),
            ]
        ),
        new(
            "io_cqring_offsets",
            "IoCqRingOffsets",
            "Where in the mapping the completion queue is.",
            [
                new("head", "Head"),
                new("tail", "Tail"),
                new("ring_mask", "RingMask"),
                new("ring_entries", "RingEntries"),
                new("overflow", "Overflow"),
                new("cqes", "Cqes"),
                new("flags", "Flags"),
            ]
        ),
        new(
            "io_uring_params",
            "IoUringParams",
            "Asked for and granted at set-up.",
            [
                new("sq_entries", "SqEntries"),
                new("cq_entries", "CqEntries"),
                new("flags", "Flags", "IORING_SETUP_* bits."),
                new("sq_thread_cpu", "SqThreadCpu"),
                new("sq_thread_idle", "SqThreadIdle"),
                new("features", "Features", "IORING_FEAT_* bits."),
                new("wq_fd", "WqFd"),
                new("sq_off", "SqOffsets"),
                new("cq_off", "CqOffsets"),
            ]
        ),
        new(
            "io_uring_getevents_arg",
            "IoUringGetEventsArg",
            "A signal mask and a timeout for one wait.",
            [
                new("sigmask", "SignalMask"),
                new("sigmask_sz", "SignalMaskSize"),
                new("ts", "Timespec", "Address of a KernelTimespec, or 0."),
            ]
        ),
        new(
            "__kernel_timespec",
            "KernelTimespec",
            "A time span.",
            [new("tv_sec", "Seconds"), new("tv_nsec", "Nanoseconds", "0 to 999,999,999.")]
        ),
        new(
            "io_uring_rsrc_register",
            "IoUringRsrcRegister",
            "Registers a table of buffers or files.",
            [
                new("nr", "Count"),
                new("flags", "Flags", "IORING_RSRC_REGISTER_* bits."),
                new("data", "Data"),
                new("tags", "Tags"),
            ]
        ),
        new(
            "io_uring_rsrc_update2",
            "IoUringRsrcUpdate2",
            "Replaces entries of a registered table.",
            [
                new("offset", "Offset", "The first entry."),
                new("data", "Data", "Address of IoVec or of descriptors."),
                new("tags", "Tags", "Address of a ulong for each."),
                new("nr", "Count"),
            ]
        ),
        new(
            "io_uring_files_update",
            "IoUringFilesUpdate",
            "Replaces registered file descriptors.",
            [new("offset", "Offset", "The first entry."), new("fds", "Fds", "Address of the descriptors.")]
        ),
        new("iovec", "IoVec", "A buffer.", [new("iov_base", "Base"), new("iov_len", "LengthBytes")]),
    ];

    public static readonly KernelConstants[] Constants =
    [
        new(
            "byte",
            IsBits: false,
            [
                "IORING_OP_NOP",
                "IORING_OP_FSYNC",
                "IORING_OP_READ_FIXED",
                "IORING_OP_WRITE_FIXED",
                "IORING_OP_POLL_ADD",
                "IORING_OP_FALLOCATE",
                "IORING_OP_READ",
                "IORING_OP_WRITE",
                "IORING_OP_RECV",
            ]
        ),
        new("ushort", IsBits: true, ["IORING_RECVSEND_POLL_FIRST"]),
        new("byte", IsBits: true, ["IOSQE_FIXED_FILE", "IOSQE_ASYNC"]),
        new(
            "uint",
            IsBits: true,
            [
                "IORING_SETUP_CQSIZE",
                "IORING_SETUP_CLAMP",
                "IORING_SETUP_R_DISABLED",
                "IORING_SETUP_SUBMIT_ALL",
                "IORING_SETUP_COOP_TASKRUN",
                "IORING_SETUP_SINGLE_ISSUER",
                "IORING_SETUP_DEFER_TASKRUN",
            ]
        ),
        new("uint", IsBits: true, ["IORING_FEAT_SINGLE_MMAP", "IORING_FEAT_NODROP", "IORING_FEAT_EXT_ARG"]),
        new("uint", IsBits: true, ["IORING_ENTER_GETEVENTS", "IORING_ENTER_EXT_ARG"]),
        new(
            "uint",
            IsBits: false,
            [
                "IORING_REGISTER_FILES",
                "IORING_REGISTER_FILES_UPDATE",
                "IORING_REGISTER_ENABLE_RINGS",
                "IORING_REGISTER_BUFFERS2",
                "IORING_REGISTER_BUFFERS_UPDATE",
                "IORING_REGISTER_IOWQ_MAX_WORKERS",
            ]
        ),
        new("uint", IsBits: true, ["IORING_RSRC_REGISTER_SPARSE", "IORING_FSYNC_DATASYNC"]),
        new("long", IsBits: true, ["IORING_OFF_SQ_RING", "IORING_OFF_SQES"]),
        new("long", IsBits: false, ["SYS_io_uring_setup", "SYS_io_uring_enter", "SYS_io_uring_register"]),
    ];
}
