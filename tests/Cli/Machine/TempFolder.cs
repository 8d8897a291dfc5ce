// A folder for one test, removed with everything in it.
using System;
using System.IO;

namespace FastBackup.Tests.Cli.Machine;

sealed class TempFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("fastbackup-cli-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
