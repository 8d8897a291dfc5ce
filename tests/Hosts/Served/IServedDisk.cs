// A disk in the hands of a host: guests reach it over NBD, backups are ordered over QMP. The tests know hosts by this
// only, so that each test runs against QEMU, which proves the test, and against ours.
using System;
using FastBackup.Tests.Qmp;

namespace FastBackup.Tests.Hosts.Served;

/// <summary>Threads: one. Disposing ends the host's process.</summary>
interface IServedDisk : IDisposable
{
    /// <summary>The NBD server. The live disk is the export <see cref="NbdExports.Disk"/>.</summary>
    string SocketPath { get; }

    /// <summary>The raw image behind it. Reads of the file are right whenever no request is under way.</summary>
    string SourcePath { get; }

    /// <summary>What jobs and bitmaps call it.</summary>
    string NodeName { get; }

    QmpClient Qmp { get; }

    /// <summary>A read of the view must not cross a multiple of this; 0 = it may.</summary>
    uint ViewBoundaryBytes { get; }

    /// <summary>From its return on, <see cref="NbdExports.Snapshot"/> reads the disk as it is now.</summary>
    /// <param name="scratchPath">A raw image as large as the disk, which takes what guests overwrite.</param>
    void BeginSnapshot(string scratchPath);

    /// <summary>Gives up the view and the scratch image. Readers must have gone.</summary>
    void EndSnapshot();
}
