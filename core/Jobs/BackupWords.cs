// The words of a backup's options. Source: QEMU, qapi/block-core.json, MirrorSyncMode, BitmapSyncMode, BlockdevOnError.
using FastBackup.Base;

namespace FastBackup.Jobs;

/// <summary>Threads: any.</summary>
public static class BackupWords
{
    public static WordTable<BackupSync> Sync { get; } =
        new(
            ("full", BackupSync.Full),
            ("top", BackupSync.Top),
            ("incremental", BackupSync.Incremental),
            ("bitmap", BackupSync.Bitmap),
            ("none", BackupSync.None)
        );

    public static WordTable<BitmapMode> BitmapMode { get; } =
        new(
            ("on-success", Jobs.BitmapMode.OnSuccess),
            ("never", Jobs.BitmapMode.Never),
            ("always", Jobs.BitmapMode.Always)
        );

    public static WordTable<ErrorPolicy> OnError { get; } =
        new(
            ("report", ErrorPolicy.Report),
            ("ignore", ErrorPolicy.Ignore),
            ("enospc", ErrorPolicy.EnoSpc),
            ("stop", ErrorPolicy.Stop),
            ("auto", ErrorPolicy.Auto)
        );
}
