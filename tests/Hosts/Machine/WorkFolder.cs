// A folder for one test, removed with everything in it. Its path is short: sockets lie in it, and the name of a unix
// socket has 107 bytes at most. Source: unix(7).
using System;
using System.IO;

namespace FastBackup.Tests.Hosts.Machine;

sealed class WorkFolder : IDisposable
{
    const int PathCharsMax = 80;

    public WorkFolder()
    {
        string path = Directory.CreateTempSubdirectory("fbh-").FullName;
        Requires.That(path.Length <= PathCharsMax, $"needs a TMPDIR whose path leaves room for sockets, not {path}");
        Path = path;
    }

    public string Path { get; }

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
