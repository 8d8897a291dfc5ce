// The files of one invocation: a folder of its own below the one that was named, one source, one target at a
// time. Everything is removed at the end, also after a fault or Ctrl-C; with --keep the source stays.
using System;
using System.Globalization;
using System.IO;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bench.Peers;

namespace FastBackup.Bench.Throughput;

sealed class Workspace : IDisposable
{
    readonly DirectoryInfo _folder;
    readonly ulong _sizeBytes;

    public Workspace(BenchSettings settings)
    {
        _sizeBytes = settings.SizeBytes;
        string parent = settings.Folder ?? DiskFolder.Default();
        DiskFolder.RequireSpace(parent, 2 * settings.SizeBytes);
        string name = string.Create(CultureInfo.InvariantCulture, $"fastbackup-bench-{Environment.ProcessId}");
        _folder = Directory.CreateDirectory(Path.Combine(parent, name));
        TargetPath = Path.Combine(_folder.FullName, "target");
        SourcePath = settings.IsKept
            ? Path.Combine(parent, string.Create(CultureInfo.InvariantCulture, $"fastbackup-source-{_sizeBytes}"))
            : Path.Combine(_folder.FullName, "source");
        IsDirect = DiskContent.TakesDirect(_folder.FullName);
    }

    public string Folder => _folder.FullName;

    public string SourcePath { get; }

    public string TargetPath { get; }

    /// <summary>Whether files here take O_DIRECT.</summary>
    public bool IsDirect { get; }

    public CopyPlan Plan => new(SourcePath, TargetPath, _sizeBytes, IsDirect);

    /// <summary>Random data, unless a kept source of that size is there.</summary>
    public void MakeSource(ulong seed, CancellationToken cancel)
    {
        if (!File.Exists(SourcePath) || new FileInfo(SourcePath).Length != (long)_sizeBytes)
            DiskContent.Fill(SourcePath, _sizeBytes, seed, IsDirect, cancel);
    }

    /// <summary>Puts the target into the state, and lets the disk come to rest.</summary>
    /// <param name="state">Fresh: removed, then made as a sparse file unless the copy makes it.</param>
    /// <param name="isMadeByCopy">Whether the copy creates its target itself.</param>
    /// <param name="isPoisoned">Overwrite: spoils a part of every MiB, so that a comparison proves this copy.</param>
    /// <param name="seed">Of what an overwritten target holds at first.</param>
    /// <param name="cancel">Ends it.</param>
    public void Prepare(TargetState state, bool isMadeByCopy, bool isPoisoned, ulong seed, CancellationToken cancel)
    {
        if (state == TargetState.Fresh)
        {
            File.Delete(TargetPath);
            if (!isMadeByCopy)
                using (FileStream file = new(TargetPath, FileMode.CreateNew))
                    file.SetLength((long)_sizeBytes);
        }
        else if (!File.Exists(TargetPath) || !DiskContent.IsAllocated(TargetPath, _sizeBytes))
            DiskContent.Fill(TargetPath, _sizeBytes, seed, IsDirect, cancel);
        else if (isPoisoned)
            DiskContent.Poison(TargetPath, _sizeBytes, cancel);
        DiskContent.Settle(_sizeBytes < Units.GiB ? 50 : 500);
    }

    public void RemoveTarget() => File.Delete(TargetPath);

    public void Dispose() => _folder.Delete(recursive: true);
}
