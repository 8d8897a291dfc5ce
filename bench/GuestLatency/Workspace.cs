// The files of one invocation, in a folder of its own that is removed at the end, also after a fault or Ctrl-C: the
// guest's disk, which all runs share (every block of it is random data before and after any guest), one target at a
// time, and the sockets.
using System;
using System.Globalization;
using System.IO;
using System.Threading;
using FastBackup.Bench.Peers;

namespace FastBackup.Bench.GuestLatency;

/// <summary>Threads: one.</summary>
sealed class Workspace : IDisposable
{
    const int RestMs = 300;

    readonly DirectoryInfo _folder;
    readonly DirectoryInfo _sockets;
    readonly ulong _sizeBytes;
    int _count;

    public Workspace(string? folder, ulong sizeBytes)
    {
        _sizeBytes = sizeBytes;
        string parent = folder ?? DiskFolder.Default();
        DiskFolder.RequireSpace(parent, 2 * sizeBytes);
        string name = string.Create(CultureInfo.InvariantCulture, $"fastbackup-guest-{Environment.ProcessId}");
        _folder = Directory.CreateDirectory(Path.Combine(parent, name));
        _sockets = Directory.CreateTempSubdirectory("fastbackup-nbd-"); // a socket's path has 107 bytes at most
        IsDirect = DiskContent.TakesDirect(_folder.FullName);
    }

    public string Folder => _folder.FullName;

    /// <summary>Whether files here take O_DIRECT.</summary>
    public bool IsDirect { get; }

    public string SourcePath => Path.Combine(Folder, "source");

    public string TargetPath => Path.Combine(Folder, "target");

    public void MakeSource(ulong seed, CancellationToken cancel) =>
        DiskContent.Fill(SourcePath, _sizeBytes, seed, IsDirect, cancel);

    public string NewSocketPath() =>
        Path.Combine(_sockets.FullName, string.Create(CultureInfo.InvariantCulture, $"{++_count}"));

    /// <summary>For the next host: no target, nothing left to be written back, and a new socket.</summary>
    public HostPlan Prepare()
    {
        File.Delete(TargetPath);
        DiskContent.Settle(RestMs);
        return new HostPlan(SourcePath, TargetPath, _sizeBytes, NewSocketPath(), IsDirect);
    }

    public void Dispose()
    {
        _folder.Delete(recursive: true);
        _sockets.Delete(recursive: true);
    }
}
