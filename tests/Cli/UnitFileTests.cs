// The units of systemd, as they are installed: systemd finds nothing wrong with them, and little that they may do
// without need. How they run is PackageTests' affair.
using System;
using System.IO;
using System.Linq;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class UnitFileTests : IDisposable
{
    const string Source = "native-api/packaging/systemd";

    /// <summary>In tenths, as systemd-analyze counts them: 100 is everything, a service of no bounds has 96.</summary>
    const int ExposureMax = 25;

    readonly TempFolder _folder = new();

    public UnitFileTests()
    {
        _ = Directory.CreateDirectory(_folder["bin"]);
        File.WriteAllText(_folder["bin/fastbackup"], "#!/bin/sh\n");
        File.SetUnixFileMode(_folder["bin/fastbackup"], UnixFileMode.UserRead | UnixFileMode.UserExecute);
        foreach (string file in Directory.GetFiles(Repository.PathOf(Source)))
            File.WriteAllText(
                _folder[Path.GetFileName(file)],
                File.ReadAllText(file).Replace("@PREFIX@", _folder.Path, StringComparison.Ordinal)
            );
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Units_AreRightToSystemd()
    {
        Requires.Command("systemd-analyze");
        string[] units = [.. Named("*.service"), .. Named("*.socket"), .. Named("*.timer")];
        Assert.Equal(4, units.Length);
        string[] instances = [.. units.Select(unit => unit.Replace("@.", "@vm7.", StringComparison.Ordinal))];
        ProgramResult said = Programs.Run(_folder.Path, "systemd-analyze", ["verify", "--man=no", .. instances]);
        Assert.Equal("", said.Error);
        said.Expect(0);
    }

    [Fact]
    public void Services_MayDoLittle()
    {
        Requires.Command("systemd-analyze");
        foreach (string service in Named("*.service"))
        {
            string[] asked = ["security", "--offline=yes", $"--threshold={ExposureMax}", "--no-pager", service];
            _ = Programs.Run(_folder.Path, "systemd-analyze", asked).Expect(0);
        }
    }

    /// <summary>What a service may call has what the engine calls: io_uring.</summary>
    [Fact]
    public void Services_MayUseTheRing()
    {
        Requires.Command("systemd-analyze");
        string[] allowed = ["syscall-filter", "@system-service", "--no-pager"];
        string group = Programs.Run(_folder.Path, "systemd-analyze", allowed).Expect(0).Output;
        string all =
            group + Programs.Run(_folder.Path, "systemd-analyze", "syscall-filter", "@aio", "--no-pager").Output;
        Assert.Contains("@aio", group);
        foreach (string call in new[] { "io_uring_setup", "io_uring_enter", "io_uring_register" })
            Assert.Contains(call, all);
    }

    string[] Named(string pattern) => Directory.GetFiles(_folder.Path, pattern);
}
