// A mount on a folder, taken away at the end. Needs root.
using System;
using System.IO;

namespace FastBackup.Tests.Cli.Machine;

sealed class MountPoint : IDisposable
{
    MountPoint(string folder) => Path = folder;

    public string Path { get; }

    /// <summary>A file system in memory that is full at so many bytes.</summary>
    public static MountPoint Tmpfs(string folder, string options) =>
        Mount(folder, "-t", "tmpfs", "-o", options, "none");

    public static MountPoint Device(string folder, string device) => Mount(folder, device);

    /// <summary>Without the writes that a file system does by itself after a mount.</summary>
    public static MountPoint DeviceReadOnly(string folder, string device) => Mount(folder, "-o", "ro,noload", device);

    /// <summary>
    /// Tries again: a ring with work in flight gives its files back a moment after its process has ended.
    /// </summary>
    public void Dispose() => Eventually.True(() => Programs.Run("/", "umount", Path).ExitCode == 0);

    static MountPoint Mount(string folder, params string[] what)
    {
        Requires.Root();
        Requires.Command("mount");
        Directory.CreateDirectory(folder);
        ProgramResult mounted = Programs.Run("/", "mount", [.. what, folder]);
        Requires.That(mounted.ExitCode == 0, "needs to mount: " + mounted.Error.Trim());
        return new MountPoint(folder);
    }
}
