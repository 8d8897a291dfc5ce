// Backups that a person starts with nohup, or in the background of a script: what was to be ignored is ignored.
using System;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class NohupTests : IDisposable
{
    readonly TempFolder _folder = new();

    public NohupTests() => Disks.Random(_folder["disk.img"], 8 << 20);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("HUP")]
    [InlineData("INT")]
    public void IgnoredSignal_LetsTheBackupGoOn(string signal)
    {
        string[] line = [.. BuiltCommand.Words, "backup", "disk.img", "copy.img", "--speed", "4MiB"];
        using RunningProgram backup = new(_folder.Path, "env", ["--ignore-signal=" + signal, .. line]);
        Eventually.True(() => File.Exists(_folder["copy.img.partial"]));
        backup.Signal(signal);
        backup.Wait().Expect(0);
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
    }
}
