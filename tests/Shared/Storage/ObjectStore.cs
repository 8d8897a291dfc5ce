// A real S3 server for tests, and a cluster with block devices: one node of Ceph on 127.0.0.1, in memory, that ends
// with this. Two seconds to start.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using FastBackup.Tests.Nbd;
using FastBackup.Tests.Processes;

namespace FastBackup.Tests.Storage;

public sealed class ObjectStore : IDisposable
{
    static readonly string[] s_programs = ["ceph", "ceph-mon", "ceph-osd", "radosgw"];

    readonly TempFolder _folder = new();
    readonly Dictionary<string, string> _said;

    public ObjectStore()
    {
        foreach (string program in s_programs)
            Requires.Command(program);
        Port = LocalPort.Free().Port;
        string said = Tool.Run("bash", Script, "start", _folder["ceph"], Port.ToString(null, null));
        _said = said.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split('=', 2))
            .ToDictionary(pair => pair[0], pair => pair[1]);
    }

    public int Port { get; }

    public string KeyName => _said["access_key"];

    public string Secret => _said["secret_key"];

    /// <summary>Of the cluster, for its clients.</summary>
    public string Configuration => _said["conf"];

    /// <summary>Ceph's own tool for images.</summary>
    public string Rbd(params string[] arguments) => Tool.Run("rbd", ["-c", Configuration, .. arguments]);

    /// <summary>What holds the data stops, or goes on: it answers nobody, and nobody is told.</summary>
    public void Freeze(bool isFrozen)
    {
        string pid = File.ReadAllText(_folder["ceph/run/osd.pid"]).Trim();
        _ = Tool.Run("kill", isFrozen ? "-STOP" : "-CONT", pid);
    }

    public void Dispose()
    {
        Freeze(isFrozen: false); // else it would not hear that it is to end
        _ = Tool.Run("bash", Script, "stop", _folder["ceph"]);
        _folder.Dispose();
    }

    static string Script => Repository.PathOf("tests/Shared/radosgw.sh");
}
