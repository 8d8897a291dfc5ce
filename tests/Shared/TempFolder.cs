// A folder for one test, removed with everything in it. Its path is short: sockets lie in it, and the name of a unix
// socket has 107 bytes at most. Source: unix(7).
using System;
using System.IO;

namespace FastBackup.Tests;

public sealed class TempFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("fb-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
