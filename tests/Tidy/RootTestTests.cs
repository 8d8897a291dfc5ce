// Who types "dotnet test" is told what to type instead (without this it would run nothing and say little, or speak of
// platforms), and .ci/run takes what that takes.
using System;
using System.IO;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Tidy.Source;
using Xunit;

namespace FastBackup.Tests.Tidy;

public sealed class RootTestTests
{
    static readonly TimeSpan s_limit = TimeSpan.FromMinutes(3);

    [Theory]
    [InlineData("FastBackup.sln")]
    [InlineData("tests/Tidy/FastBackup.Tests.Tidy.csproj")]
    public void DotnetTest_SaysWhatToRun(string file)
    {
        string[] line = ["msbuild", file, "-t:VSTest", "-nologo", "-nodeReuse:false"];
        using RunningProgram msbuild = new(Tree.Root, "dotnet", line);
        string output = msbuild.Wait(s_limit).Expect(1).Output;
        Assert.Contains("dotnet run --project tests/dev -- test", output);
    }

    /// <summary>In place of dotnet stands a program that says with what it was started.</summary>
    [Fact]
    public void CiRun_HandsItsArgumentsOn()
    {
        using TempFolder folder = new();
        File.WriteAllText(folder["dotnet"], "#!/bin/sh\nprintf '<%s>' \"$@\"\n");
        Tool.Run("chmod", "+x", folder["dotnet"]);
        string path = folder.Path + ":" + Environment.GetEnvironmentVariable("PATH");
        string[] line = [Repository.PathOf(".ci/run"), "--quick", "--filter", "a b"];
        using RunningProgram run = new(folder.Path, "bash", line, ("PATH", path));
        Assert.Equal("<run><--project><tests/dev><--><test><--quick><--filter><a b>", run.Wait().Expect(0).Output);
    }
}
