// A real S3 server for tests: one node of Ceph on 127.0.0.1, in memory, that ends with this. Two seconds to start.
using System;
using System.Collections.Generic;
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

    public void Dispose()
    {
        _ = Tool.Run("bash", Script, "stop", _folder["ceph"]);
        _folder.Dispose();
    }

    static string Script => Repository.PathOf("tests/Shared/radosgw.sh");
}
