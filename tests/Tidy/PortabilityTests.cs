// The tree builds anywhere: it names no folder of one machine and no host of a package index, and holds
// nothing that was built.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;
using FastBackup.Tests.Tidy.Source;
using Xunit;

namespace FastBackup.Tests.Tidy;

public sealed partial class PortabilityTests
{
    // In two parts, so that this file does not name them.
    static readonly string[] Hosts =
    [
        "nuget" + ".org",
        "deb.debian" + ".org",
        "security.debian" + ".org",
        "archive.ubuntu" + ".com",
        "pypi" + ".org",
        "npmjs" + ".org",
        "npmjs" + ".com",
        "crates" + ".io",
        "proxy.golang" + ".org",
        "pkgs.dev.azure" + ".com",
    ];

    [Fact]
    public void Files_NameNoMachineAndNoPackageHost() =>
        Violation.AssertNone(Tree.Texts().SelectMany(file => FindNames(file.Path, file.Text)));

    [Fact]
    public void Files_AreText() =>
        Violation.AssertNone(
            Tree.Paths.Where(Tree.IsBinary).Select(path => new Violation(path, 0, "binary: build it, do not commit it"))
        );

    [Theory]
    [InlineData("cd /ho" + "me/someone/src")]
    [InlineData("\"/ro" + "ot/.config\"")]
    [InlineData("PATH=/wo" + "rk/bin")]
    [InlineData("see https://api.nuget" + ".org/v3")]
    public void MachineOrHost_IsFound(string text) => Assert.Single(FindNames("README.md", "first\n" + text));

    [Theory]
    [InlineData("core/wo" + "rk/a and ./ho" + "me/b and $ROOT/ro" + "ot/c")]
    [InlineData("the NuGet package")]
    public void RelativePath_IsFine(string text) => Assert.Empty(FindNames("README.md", text));

    [Fact]
    public void BinaryFile_IsFound() => Assert.True(Tree.IsBinary(typeof(PortabilityTests).Assembly.Location));

    static IEnumerable<Violation> FindNames(string path, string text)
    {
        foreach ((int index, string line) in text.Split('\n').Index())
        {
            if (MachinePathPattern().IsMatch(line))
                yield return new Violation(path, index + 1, "absolute path of one machine");
            if (Hosts.FirstOrDefault(host => line.Contains(host, StringComparison.OrdinalIgnoreCase)) is string host)
                yield return new Violation(path, index + 1, "host of a package index: " + host);
        }
    }

    [GeneratedRegex("(?<![A-Za-z0-9_.-])/(home|root|work)/")]
    private static partial Regex MachinePathPattern();
}
