// A mount on a folder, taken away at the end. Needs root.
using System;
using System.IO;
using FastBackup.Tests.Processes;

namespace FastBackup.Tests.Storage;

public sealed class MountPoint : IDisposable
{
    /// <param name="folder">Made here.</param>
    /// <param name="what">Arguments of mount in front of the folder.</param>
    public MountPoint(string folder, params string[] what)
    {
        Requires.Root();
        Requires.Command("mount");
        Directory.CreateDirectory(folder);
        ToolRun mounted = ToolRun.Of("mount", [.. what, folder]);
        Requires.That(mounted.ExitCode == 0, "needs to mount: " + mounted.Output);
        Path = folder;
    }

    public string Path { get; }

    /// <summary>A file system in memory that is full at so many bytes.</summary>
    public static MountPoint Tmpfs(string folder, string options) => new(folder, "-t", "tmpfs", "-o", options, "none");

    public static MountPoint Device(string folder, string device) => new(folder, device);

    /// <summary>Without the writes that a file system does by itself after a mount.</summary>
    public static MountPoint DeviceReadOnly(string folder, string device) => new(folder, "-o", "ro,noload", device);

    /// <summary>
    /// Tries again: a ring with work in flight gives its files back a moment after its process has ended.
    /// </summary>
    public void Dispose() => Eventually.True(() => ToolRun.Of("umount", [Path]).ExitCode == 0);
}
