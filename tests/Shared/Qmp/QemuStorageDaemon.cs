// qemu-storage-daemon as a child: started with block devices, driven over QMP, ended by its own command.
using System;
using System.Collections.Generic;
using System.IO;
using System.Threading;
using FastBackup.Tests.Processes;

namespace FastBackup.Tests.Qmp;

/// <summary>Threads: one. Dispose kills it if <see cref="Quit"/> did not end it, and removes its socket.</summary>
public sealed class QemuStorageDaemon : IDisposable
{
    public const string Program = "qemu-storage-daemon";

    static readonly TimeSpan QuitLimit = TimeSpan.FromSeconds(30);

    readonly DirectoryInfo _folder;

    /// <param name="arguments">Devices, servers and exports.</param>
    /// <param name="cancel">Ends every wait.</param>
    public QemuStorageDaemon(IEnumerable<string> arguments, CancellationToken cancel)
    {
        _folder = Directory.CreateTempSubdirectory("fastbackup-qmp-");
        string socketPath = Path.Combine(_folder.FullName, "qmp");
        string[] monitor =
        [
            "--chardev",
            $"socket,path={socketPath},server=on,wait=off,id=c",
            "--monitor",
            "chardev=c",
            .. arguments,
        ];
        Process = RunningProgram.Start(Program, monitor);
        try
        {
            Qmp = QmpClient.Connect(socketPath, Process, cancel);
        }
        catch
        {
            Process.Dispose();
            _folder.Delete(recursive: true);
            throw;
        }
    }

    public static bool IsPresent => SystemPrograms.Find(Program) != null;

    public RunningProgram Process { get; }

    public QmpClient Qmp { get; }

    /// <summary>The arguments of a raw file on io_uring as a node.</summary>
    /// <param name="node">The node's name.</param>
    /// <param name="path">The file; must exist.</param>
    /// <param name="isDirect">O_DIRECT, or the page cache.</param>
    public static string[] RawFile(string node, string path, bool isDirect)
    {
        // In QEMU's option syntax a comma in a value is written twice.
        string name = path.Replace(",", ",,", StringComparison.Ordinal);
        string cache = isDirect ? "on" : "off";
        return
        [
            "--blockdev",
            $"driver=file,node-name={node}-file,filename={name},cache.direct={cache},aio=io_uring",
            "--blockdev",
            $"driver=raw,node-name={node},file={node}-file",
        ];
    }

    /// <summary>Ends the daemon, which flushes and closes its devices.</summary>
    /// <returns>What it used in its whole life.</returns>
    public ProcessUse Quit(CancellationToken cancel)
    {
        Qmp.Command("quit");
        return Process.WaitForSuccess(QuitLimit, cancel);
    }

    public void Dispose()
    {
        Qmp.Dispose();
        Process.Dispose();
        _folder.Delete(recursive: true);
    }
}
