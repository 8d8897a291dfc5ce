// A folder of the test behind a FUSE server (bindfs), which can stop answering, or be slow. Needs root.
using System;
using System.IO;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Hosts.Nbdkit;

/// <summary>Threads: one. Disposing lets it go on first.</summary>
sealed class FuseFolder : IDisposable
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    readonly RunningProgram _server;

    /// <param name="folder">Of the test; takes what is behind it, and the mount.</param>
    /// <param name="fileBytes">Of the one file in it, which is a hole.</param>
    /// <param name="options">More for bindfs.</param>
    public FuseFolder(string folder, long fileBytes, params string[] options)
    {
        Requires.Root();
        Requires.Command("bindfs");
        Requires.SystemPath("/dev/fuse");
        string real = Path.Combine(folder, "real");
        MountPath = Path.Combine(folder, "fuse");
        Directory.CreateDirectory(real);
        Directory.CreateDirectory(MountPath);
        using (FileStream file = new(Path.Combine(real, "disk"), FileMode.CreateNew))
            file.SetLength(fileBytes);
        _server = Tool.Start("bindfs", ["-f", .. options, real, MountPath]);
        Assert.True(System.Threading.SpinWait.SpinUntil(() => File.Exists(FilePath), Limit), _server.Errors);
    }

    public string MountPath { get; }

    public string FilePath => Path.Combine(MountPath, "disk");

    public void Freeze() => _server.Freeze();

    public void Thaw() => _server.Thaw();

    public void Dispose()
    {
        Thaw();
        _ = ToolRun.Of("umount", ["--lazy", MountPath]);
        _server.Dispose();
    }
}
