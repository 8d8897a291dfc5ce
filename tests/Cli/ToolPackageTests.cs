// The command as 'dotnet pack' makes it, a tool of .NET: installed from a folder by somebody who has nothing else of
// this tree.
using System;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class ToolPackageTests : IDisposable
{
    readonly PackageFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Tool_IsInstalledAndRuns()
    {
        // As it was built with these tests: nothing of the tree is restored or compiled.
        string project = Repository.PathOf("native-api/cli");
        _folder.Dotnet("pack", project, "-c", "Release", "--no-build", "-o", "packages", "-nologo");
        _folder.Dotnet("tool", "install", "fastbackup", "--tool-path", "tools", "--configfile", "nuget.config");
        using RunningProgram tool = new(
            _folder.Path,
            _folder["tools/fastbackup"],
            ["--version"],
            ("DOTNET_ROOT", Path.GetDirectoryName(Environment.ProcessPath)!)
        );
        Assert.Matches(@"^\d+\.\d+\.\d+\n$", tool.Wait().Expect(0).Output);
    }
}
