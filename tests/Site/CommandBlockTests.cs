// Every command that a page of the site shows is run by a test, or stands here with what is done instead and why. A
// block of a kind (its comment) is run by the test that names page and kind.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using FastBackup.Site;
using Xunit;

namespace FastBackup.Tests.Site;

public sealed class CommandBlockTests
{
    const string Readme = "README.md";

    /// <summary>Blocks without a kind, by page and beginning, and where they are run, or why not.</summary>
    static readonly (string File, string Begin, string Where)[] s_known =
    [
        (Readme, "dotnet run -c Release --project native-api/cli -- demo", "tests/Cli/DemoTests.cs: 'demo'"),
        (Readme, "fastbackup serve disk=vm.raw", "tests/Cli/ReadmeCommandTests.cs: fastbackup serve disk=vm.raw"),
        (Readme, "native-api/packaging/release", "tests/Cli/PackageTests.cs: native-api/packaging/release"),
        (Readme, "native-api/packaging/build", "tests/Shared/BuiltLibrary.cs: native-api/packaging/build"),
        (Readme, "fastbackup doctor .", "tests/Cli/ReadmeTests.cs: doctor"),
        (Readme, "fastbackup backup disk.img backup.img", "tests/Cli/ReadmeTests.cs: backup"),
        (Readme, "fastbackup compare disk.img backup.img", "tests/Cli/ReadmeTests.cs: compare"),
        (Readme, "fastbackup backup disk.img other.img", "tests/Cli/ReadmeTests.cs: backup"),
        (Readme, "fastbackup demo --size 256MiB", "tests/Cli/ReadmeTests.cs: demo"),
        (Readme, "fastbackup repo init", "tests/Cli/ReadmeCommandTests.cs: fastbackup repo init"),
        (Readme, "fastbackup backup /dev/vg0/web", "tests/Cli/ReadmeCommandTests.cs: fastbackup backup /dev/vg0/web"),
        (
            Readme,
            "dotnet run -c Release --project bench",
            "not run: minutes; small sizes of both are steps of the check"
        ),
        ("CONTRIBUTING.md", "dotnet run --project tests/dev", "not run: they are the check itself, and parts of it"),
        ("native-api/docs/nbd.md", "fastbackup serve web.img db.img", "tests/Cli/TlsTests.cs: --tls-client"),
        (
            "native-api/docs/nbd.md",
            "fastbackup serve disk=vm.raw --socket disk.sock --monitor backup.sock &\nnbd-client",
            "not run: asks for the kernel's nbd driver, and for hypervisors that Debian does not have"
        ),
        (
            "native-api/docs/packaging.md",
            "native-api/packaging/release",
            "tests/Cli/PackageTests.cs: native-api/packaging/release"
        ),
        ("native-api/docs/packaging.md", "apt install", "tests/Cli/PackageTests.cs: apt-get install"),
        (
            "native-api/docs/packaging.md",
            "native-api/packaging/build ",
            "tests/Cli/PackageTests.cs: native-api/packaging/build-command"
        ),
        ("native-api/docs/packaging.md", "cc host.c", "tests/Cli/PackageTests.cs: pkg-config"),
        ("native-api/docs/qemu.md", "virsh", "not run: asks for libvirt and a guest with an agent in it"),
        ("native-api/docs/qemu.md", "nbdkit", "tests/Hosts/Nbdkit/BackupTests.cs: monitor="),
        ("native-api/docs/repository.md", "modprobe nbd", "not run: asks for the kernel's nbd driver"),
        ("native-api/docs/repository.md", "touch web.raw", "tests/Cli/MountTests.cs: fuse"),
        ("native-api/docs/windows.md", "dotnet publish", "tests/Windows/WindowsPrograms.cs: win-x64"),
        ("native-api/hosts/nbdkit/README.md", "native-api/packaging/build", "tests/Hosts/Served/BuiltPlugin.cs: make"),
    ];

    /// <summary>What runs the blocks of a page that have a kind; each kind stands there, too.</summary>
    static readonly Dictionary<string, string> s_runners = new()
    {
        ["native-api/docs/monitor.md"] = "tests/Cli/MonitorDocumentTests.cs",
        ["native-api/docs/nbd.md"] = "tests/Cli/NbdDocumentTests.cs tests/Hosts/Documents/ShellBlock.cs",
        ["native-api/docs/pull-mode.md"] = "tests/Cli/NbdDocumentTests.cs",
        ["native-api/docs/qcow2.md"] = "tests/Cli/Qcow2DocumentTests.cs",
        ["native-api/docs/qcow2-chains.md"] = "tests/Cli/Qcow2ChainDocumentTests.cs",
        ["native-api/docs/qemu.md"] = "tests/Hosts/Documents/ShellBlock.cs tests/Hosts/Nbdkit/TrackerTests.cs",
        ["native-api/docs/rbd.md"] = "tests/Cli/RbdTests.cs",
        ["native-api/docs/repository.md"] = "tests/Cli/RepositoryDocumentTests.cs",
        ["native-api/docs/tracking.md"] = "tests/Cli/TrackingDocumentTests.cs",
        ["native-api/hosts/nbdkit/README.md"] = "tests/Hosts/Nbdkit/ReadmeTests.cs",
    };

    static CommandBlock[] All =>
        [
            .. Contents
                .List()
                .Select(page => page.Source)
                .Where(source => source.EndsWith(".md", StringComparison.Ordinal))
                .SelectMany(CommandBlock.Read),
        ];

    [Fact]
    public void EveryCommand_IsRunOrStandsHereWithTheReason() =>
        Assert.All(
            All,
            block => Assert.True(Problem(block) == null, $"{block.File}: {block.FirstLine}: {Problem(block)}")
        );

    [Fact]
    public void WhatStandsHere_IsOnItsPage() =>
        Assert.All(s_known, known => Assert.Contains(All, block => IsOf(block, known)));

    [Theory]
    [InlineData("```sh\nfastbackup doctor\n```\n", 1)]
    [InlineData("a\n\n    native-api/packaging/release\n", 1)]
    [InlineData("```text\nhere$ fastbackup doctor\n```\n", 1)]
    [InlineData("```text\na  -->  b\n```\n", 0)]
    [InlineData("```c\nmake(1);\n```\n", 0)]
    public void ANewCommand_IsFound(string text, int count)
    {
        CommandBlock[] blocks = [.. CommandBlock.Find("native-api/docs/new.md", text)];
        Assert.Equal(count, blocks.Length);
        Assert.All(blocks, block => Assert.NotNull(Problem(block)));
    }

    [Fact]
    public void ABlock_IsReadWithItsKindAndWithoutRemarks()
    {
        string text = "<!-- sh: some kind -->\n  ```sh\n  fastbackup a \\\n     b   # said\n  ```\n";
        CommandBlock block = Assert.Single(CommandBlock.Find("a.md", text));
        Assert.Equal("some kind", block.Kind);
        Assert.Equal("fastbackup a \\\n   b\n", block.Script);
    }

    static string? Problem(CommandBlock block)
    {
        if (block.Kind.Length > 0)
            return !s_runners.TryGetValue(block.File, out string? runners) ? "its page has no test in this file"
                : runners.Split(' ').Any(file => Read(file).Contains(block.Kind, StringComparison.Ordinal)) ? null
                : $"no test runs blocks of the kind '{block.Kind}'";
        (string File, string Begin, string Where) known = s_known.FirstOrDefault(one => IsOf(block, one));
        if (known.Where == null)
            return "no test runs it: give it a kind and a test, or say here why not";
        if (known.Where.StartsWith("not run: ", StringComparison.Ordinal))
            return null;
        string[] parts = known.Where.Split(": ", 2);
        return Read(parts[0]).Contains(parts[1].Trim('\''), StringComparison.Ordinal)
            ? null
            : $"{parts[0]} does not name it";
    }

    static bool IsOf(CommandBlock block, (string File, string Begin, string Where) known) =>
        block.Kind.Length == 0
        && block.File == known.File
        && block.Text.StartsWith(known.Begin, StringComparison.Ordinal);

    static string Read(string file) => File.ReadAllText(Repository.PathOf(file));
}
