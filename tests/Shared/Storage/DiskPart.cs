// A partition of a block device that no partition table knows, taken away at the end. Needs root.
using System;
using System.Globalization;
using System.IO;
using FastBackup.Tests.Processes;

namespace FastBackup.Tests.Storage;

public sealed class DiskPart : IDisposable
{
    const string Number = "1";

    readonly string _disk;

    /// <param name="disk">A loop device.</param>
    /// <param name="startSectors">Of 512 bytes.</param>
    /// <param name="sectorCount">Of 512 bytes.</param>
    public DiskPart(LoopDevice disk, int startSectors, int sectorCount)
    {
        Requires.Command("addpart");
        _disk = disk.Path;
        _ = ToolRun.Of("delpart", [_disk, Number]); // of a test that was killed
        string start = startSectors.ToString(CultureInfo.InvariantCulture);
        string count = sectorCount.ToString(CultureInfo.InvariantCulture);
        Tool.Run("addpart", _disk, Number, start, count);
        Eventually.True(() => File.Exists(Path));
    }

    public string Path => _disk + "p" + Number;

    public void Dispose() => Eventually.True(() => ToolRun.Of("delpart", [_disk, Number]).ExitCode == 0);
}
