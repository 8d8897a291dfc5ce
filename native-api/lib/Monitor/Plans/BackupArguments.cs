// What blockdev-backup may be told: QEMU's members in the order of its schema, then ours. Nothing is judged here but
// types and words.
// Source: QEMU 7.2 qapi/block-core.json, BackupCommon and BlockdevBackup; on-cbw-error, discard-source and
// min-cluster-size are QEMU 10's.
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Pacing;

namespace FastBackup.Native.Monitor.Plans;

sealed record BackupArguments
{
    static readonly string[] s_cbwWords = ["break-guest-write", "break-snapshot"];

    public string? JobId { get; private init; }
    public string Device { get; private init; } = "";

    public BackupSync Sync { get; private init; }
    public long Speed { get; private init; }
    public string? Bitmap { get; private init; }

    public BitmapMode? BitmapMode { get; private init; }
    public bool IsCompressed { get; private init; }
    public ErrorPolicy OnSourceError { get; private init; }
    public ErrorPolicy OnTargetError { get; private init; }
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

    public GuestPriority GuestPriority { get; private init; }

    /// <summary>Null: as the engine chooses.</summary>
    public uint? WarmMs { get; private init; }
    public bool TakesGuestReads { get; private init; }
    public bool MayTargetBeLarger { get; private init; }

    /// <summary>Path of a record of the copy; null: none is kept.</summary>
    public string? Record { get; private init; }

    /// <summary>The checkpoint that goes with it.</summary>
    public string? RecordSince { get; private init; }

    /// <summary>Null: where it is possible.</summary>
    public bool? HasSnapshot { get; private init; }

    /// <summary>Problems stay in the reader.</summary>
    public static BackupArguments Read(ArgumentReader arguments)
    {
        BackupArguments read = new()
        {
            JobId = arguments.OptionalText("job-id"),
            Device = arguments.Text("device"),
            Sync = arguments.Word("sync", BackupWords.Sync, isNeeded: true) ?? BackupSync.Full,
            Speed = arguments.OptionalInteger("speed") ?? 0,
            Bitmap = arguments.OptionalText("bitmap"),
            BitmapMode = arguments.Word("bitmap-mode", BackupWords.BitmapMode),
            IsCompressed = arguments.Bool("compress") ?? false,
            OnSourceError = arguments.Word("on-source-error", BackupWords.OnError) ?? ErrorPolicy.Report,
            OnTargetError = arguments.Word("on-target-error", BackupWords.OnError) ?? ErrorPolicy.Report,
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
            MaxWorkers = perf?.OptionalInteger("max-workers") ?? FilterOptions.TaskMaxDefault,
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
            GuestPriority = arguments.Word("x-guest-priority", GuestPriorityWords.Table) ?? GuestPriority.Balanced,
            WarmMs = arguments.UInt32("x-warm-ms"),
            TakesGuestReads = arguments.Bool("x-take-guest-reads") ?? false,
            MayTargetBeLarger = arguments.Bool("x-larger-target") ?? false,
            HasSnapshot = arguments.Bool("x-snapshot"),
            Record = arguments.OptionalText("x-record"),
            RecordSince = arguments.OptionalText("x-record-since"),
        };

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
