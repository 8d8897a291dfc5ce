// What blockdev-backup may be told: QEMU's members in the order of its schema, then ours. Nothing is judged here but
// types and words.
// Source: QEMU 7.2 qapi/block-core.json, BackupCommon and BlockdevBackup; on-cbw-error, discard-source and
// min-cluster-size are QEMU 10's.
using FastBackup.Native.Monitor.Commands;

namespace FastBackup.Native.Monitor.Plans;

sealed record BackupArguments
{
    public static readonly string[] SyncWords = ["top", "full", "none", "incremental", "bitmap"];
    public static readonly string[] BitmapModeWords = ["on-success", "never", "always"];
    public static readonly string[] ErrorWords = ["report", "ignore", "enospc", "stop", "auto"];
    static readonly string[] s_cbwWords = ["break-guest-write", "break-snapshot"];

    public string? JobId { get; private init; }
    public string Device { get; private init; } = "";

    /// <summary>One of <see cref="SyncWords"/>.</summary>
    public string Sync { get; private init; } = "";
    public long Speed { get; private init; }
    public string? Bitmap { get; private init; }

    /// <summary>One of <see cref="BitmapModeWords"/>, or null.</summary>
    public string? BitmapMode { get; private init; }
    public bool IsCompressed { get; private init; }
    public string OnSourceError { get; private init; } = "";
    public string OnTargetError { get; private init; } = "";
    public bool IsAutoFinalize { get; private init; }
    public bool IsAutoDismiss { get; private init; }
    public string Target { get; private init; } = "";
    public long MaxWorkers { get; private init; }
    public long MaxChunk { get; private init; }
    public long MinClusterBytes { get; private init; }
    public bool BreaksGuestWrite { get; private init; }
    public bool IsSourceDiscarded { get; private init; }

    /// <summary>Null: the default; 0: none.</summary>
    public uint? CbwTimeoutMs { get; private init; }
    public string? Scratch { get; private init; }
    public long ScratchBytes { get; private init; }
    public long CaptureBytes { get; private init; }

    /// <summary>FB_GUEST_PRIORITY_*.</summary>
    public int GuestPriority { get; private init; }
    public bool TakesGuestReads { get; private init; }
    public bool MayTargetBeLarger { get; private init; }

    /// <summary>Null: where it is possible.</summary>
    public bool? HasSnapshot { get; private init; }

    /// <summary>Problems stay in the reader.</summary>
    public static BackupArguments Read(ArgumentReader arguments)
    {
        BackupArguments read = new()
        {
            JobId = arguments.OptionalText("job-id"),
            Device = arguments.Text("device"),
            Sync = Word(arguments, "sync", SyncWords, isNeeded: true) ?? "",
            Speed = arguments.OptionalInteger("speed") ?? 0,
            Bitmap = arguments.OptionalText("bitmap"),
            BitmapMode = Word(arguments, "bitmap-mode", BitmapModeWords),
            IsCompressed = arguments.Bool("compress") ?? false,
            OnSourceError = Word(arguments, "on-source-error", ErrorWords) ?? "report",
            OnTargetError = Word(arguments, "on-target-error", ErrorWords) ?? "report",
            BreaksGuestWrite = ReadCbwError(arguments),
            CbwTimeoutMs = ReadCbwTimeout(arguments),
            IsAutoFinalize = arguments.Bool("auto-finalize") ?? true,
            IsAutoDismiss = arguments.Bool("auto-dismiss") ?? true,
            IsSourceDiscarded = ReadUnused(arguments),
        };
        ArgumentReader? perf = arguments.Object("x-perf");
        _ = perf?.Bool("use-copy-range");
        read = read with
        {
            MaxWorkers = perf?.OptionalInteger("max-workers") ?? 64,
            MaxChunk = perf?.OptionalInteger("max-chunk") ?? 0,
            MinClusterBytes = perf?.OptionalInteger("min-cluster-size") ?? 0,
        };
        _ = perf?.End();
        return ReadOwn(arguments, read with { Target = arguments.Text("target") });
    }

    static BackupArguments ReadOwn(ArgumentReader arguments, BackupArguments read) =>
        read with
        {
            Scratch = arguments.OptionalText("x-scratch"),
            ScratchBytes = arguments.OptionalInteger("x-scratch-bytes") ?? 0,
            CaptureBytes = arguments.OptionalInteger("x-capture-bytes") ?? 0,
            GuestPriority = arguments.Word("x-guest-priority", JobCommands.GuestPriorities) ?? 0,
            TakesGuestReads = arguments.Bool("x-take-guest-reads") ?? false,
            MayTargetBeLarger = arguments.Bool("x-larger-target") ?? false,
            HasSnapshot = arguments.Bool("x-snapshot"),
        };

    static string? Word(ArgumentReader arguments, string name, string[] words, bool isNeeded = false) =>
        arguments.Word(name, words, isNeeded) is { } index ? words[index] : null;

    static bool ReadCbwError(ArgumentReader arguments)
    {
        int? theirs = arguments.Word("on-cbw-error", s_cbwWords);
        int? ours = arguments.Word("x-on-cbw-error", s_cbwWords);
        return (theirs ?? ours) == 0;
    }

    static uint? ReadCbwTimeout(ArgumentReader arguments) => arguments.UInt32("x-cbw-timeout-ms");

    /// <summary>The name of a filter's node, which we do not have, is taken and forgotten.</summary>
    /// <returns>discard-source.</returns>
    static bool ReadUnused(ArgumentReader arguments)
    {
        _ = arguments.OptionalText("filter-node-name");
        return arguments.Bool("discard-source") ?? false;
    }
}
