// What most tests begin with: a host with one disk of random bytes, a node for a target, one client.
using System;
using System.Text.Json.Nodes;
using Xunit;

namespace FastBackup.Tests.Hosts.Monitor;

/// <summary>Threads: one.</summary>
sealed class MonitorScene : IDisposable
{
    public const int DiskBytes = 8 << 20;

    /// <param name="options">--driven, --threads, or nothing.</param>
    public MonitorScene(params string[] options)
    {
        MonitorHost? host = null;
        try
        {
            host = new MonitorHost(Folder["socket"], [.. options, "vda=" + Folder.Random("vda.img", DiskBytes)]);
            Client = QmpConnection.To(host.Socket);
        }
        catch
        {
            host?.Dispose(); // a host that does not build or start, or a test that is skipped: nobody else would
            Folder.Dispose();
            throw;
        }
        Host = host;
    }

    public TestFolder Folder { get; } = new();

    public MonitorHost Host { get; }

    public QmpConnection Client { get; }

    public QmpConnection NewClient() => QmpConnection.To(Host.Socket);

    /// <summary>A new file of the disk's size, opened as a node of the same name.</summary>
    public string AddTarget(string name)
    {
        string path = Folder.Hole(name + ".img", DiskBytes);
        _ = Client.Run("blockdev-add", ("driver", "file"), ("node-name", name), ("filename", path));
        return path;
    }

    /// <summary>A new file of the disk's size; its path.</summary>
    public string AddHole(string name) => Folder.Hole(name, DiskBytes);

    /// <summary>A full backup; speed in bytes a second keeps it running.</summary>
    public void StartBackup(string target, string id, long speed, params (string Name, JsonNode? Value)[] more) =>
        _ = Client.Run(
            "blockdev-backup",
            [("device", "vda"), ("target", target), ("job-id", id), ("sync", "full"), ("speed", speed), .. more]
        );

    /// <summary>The status of a job that is there, else null.</summary>
    public string? StatusOf(string id)
    {
        foreach (JsonNode? job in Client.Run("query-jobs").AsArray())
            if ((string?)job!["id"] == id)
                return (string?)job["status"];
        return null;
    }

    public byte[] Disk() => TestFolder.Read(Folder["vda.img"]);

    /// <summary>The host closes everything, and nothing holds it up.</summary>
    public void Quit() => Host.Quit();

    public void Dispose()
    {
        Client.Dispose();
        Host.Dispose();
        Folder.Dispose();
    }

    public static void AssertSame(byte[] expected, string path) =>
        Assert.True(expected.AsSpan().SequenceEqual(TestFolder.Read(path)), path + " is not what it should be");
}
