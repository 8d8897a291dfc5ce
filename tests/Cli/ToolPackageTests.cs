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
    static readonly TimeSpan s_limit = TimeSpan.FromMinutes(3);

    readonly TempFolder _folder = new();

    public ToolPackageTests()
    {
        const string sources = """
            <configuration>
              <packageSources><clear /><add key="folder" value="packages" /></packageSources>
            </configuration>
            """;
        File.WriteAllText(_folder["nuget.config"], sources);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Tool_IsInstalledAndRuns()
    {
        // As it was built with these tests: nothing of the tree is restored or compiled.
        string project = Repository.PathOf("native-api/cli");
        Dotnet("pack", project, "-c", "Release", "--no-build", "-o", "packages", "-nologo");
        Dotnet("tool", "install", "fastbackup", "--tool-path", "tools", "--configfile", "nuget.config");
        using RunningProgram tool = new(
            _folder.Path,
            _folder["tools/fastbackup"],
            ["--version"],
            ("DOTNET_ROOT", Path.GetDirectoryName(Environment.ProcessPath)!)
        );
        Assert.Matches(@"^\d+\.\d+\.\d+\n$", tool.Wait().Expect(0).Output);
    }

    void Dotnet(params string[] arguments)
    {
        using RunningProgram running = new(
            _folder.Path,
            "dotnet",
            arguments,
            ("NUGET_PACKAGES", _folder["cache"]),
            ("MSBUILDDISABLENODEREUSE", "1")
        );
        _ = running.Wait(s_limit).Expect(0);
    }
}
