// Our host: nbdkit with the plugin of native-api/hosts/nbdkit, ordered through the library's monitor.
using System;
using System.IO;
using System.Text.Json.Nodes;
using System.Threading;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Qmp;

namespace FastBackup.Tests.Hosts.Served;

sealed class PluginDisk : IServedDisk
{
    const string Scratch = "scratch";

    readonly RunningProgram _server;
    string _jobId = "";
    int _count;

    /// <param name="sourcePath">A raw image.</param>
    /// <param name="folder">Takes the sockets.</param>
    /// <param name="cancel">Ends every wait.</param>
    public PluginDisk(string sourcePath, TempFolder folder, CancellationToken cancel)
    {
        Requires.Command("nbdkit");
        SourcePath = sourcePath;
        string name = Guid.NewGuid().ToString("N")[..8];
        SocketPath = folder["n" + name];
        string monitorPath = folder["m" + name];
        _server = Tool.Start(
            "nbdkit",
            "--foreground",
            "--unix",
            SocketPath,
            BuiltPlugin.File,
            "source=" + sourcePath,
            "monitor=" + monitorPath
        );
        try
        {
            // The server binds its socket first.
            Qmp = QmpClient.Connect(monitorPath, _server, cancel);
        }
        catch
        {
            _server.Dispose();
            throw;
        }
    }

    public string SocketPath { get; }

    public string SourcePath { get; }

    public string NodeName => "disk";

    public uint ViewBoundaryBytes => 0;

    public QmpClient Qmp { get; }

    /// <summary>The plugin exports the view of the newest job.</summary>
    public void BeginSnapshot(string scratchPath)
    {
        _jobId = string.Create(null, $"view-{++_count}"); // late events of an earlier job have its id
        Qmp.AddFile(Scratch, scratchPath);
        JsonObject backup = new()
        {
            ["job-id"] = _jobId,
            ["device"] = NodeName,
            ["target"] = Scratch,
            ["sync"] = "none",
        };
        Qmp.Command("blockdev-backup", backup);
    }

    public void EndSnapshot()
    {
        Qmp.CancelJob(_jobId);
        Qmp.WaitForJob(_jobId);
        Qmp.RemoveNode(Scratch);
    }

    public void Dispose()
    {
        Qmp.Dispose();
        _server.Dispose();
    }
}
