// Which system this is, the engine asks in one place, and only the three factories look at the answer: everything else
// in core is the same on every system.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;
using FastBackup.Tests.Tidy.Source;
using Xunit;

namespace FastBackup.Tests.Tidy;

public sealed partial class PlatformTests
{
    const string Asker = "core/Base/HostSystem.cs";

    static readonly string[] Factories =
    [
        "core/Memory/HostMemory.cs",
        "core/Ports/SystemPort.cs",
        "core/Devices/Opening/DiskFiles.cs",
    ];

    [Fact]
    public void Core_AsksForTheSystemInItsFactoriesOnly() => Violation.AssertNone(Tree.CSharp.SelectMany(Find));

    [Fact]
    public void Factories_AreThere() =>
        Assert.Empty(Factories.Append(Asker).Except(Tree.CSharp.Select(file => file.Path)));

    [Theory]
    [InlineData("core/Copy/A.cs", "if (OperatingSystem.IsWindows()) { }")]
    [InlineData("core/Ports/Windows/A.cs", "bool b = RuntimeInformation.IsOSPlatform(OSPlatform.Linux);")]
    [InlineData("core/Jobs/A.cs", "if (HostSystem.IsWindows) { }")]
    [InlineData("core/Jobs/A.cs", "var p = Environment.OSVersion.Platform;")]
    [InlineData("core/Jobs/A.cs", "#if WINDOWS\n#endif")]
    public void AQuestionElsewhere_IsFound(string path, string code) =>
        Assert.NotEmpty(Find(new SourceFile(path, code)));

    [Theory]
    [InlineData("core/Ports/SystemPort.cs", "_ = HostSystem.IsWindows;")]
    [InlineData("core/Copy/A.cs", "// OperatingSystem.IsWindows")]
    [InlineData("native-api/cli/A.cs", "_ = OperatingSystem.IsWindows();")]
    public void WhatIsAllowed_IsFine(string path, string code) => Assert.Empty(Find(new SourceFile(path, code)));

    static IEnumerable<Violation> Find(SourceFile file)
    {
        if (file.Layer != "core" || file.Path == Asker)
            yield break;
        foreach (Match match in QuestionPattern().Matches(file.Code))
        {
            bool isChoice = match.Value == "HostSystem" && Factories.Contains(file.Path);
            if (!isChoice)
                yield return new Violation(
                    file.Path,
                    file.LineOf(match.Index),
                    "only the factories ask for the system"
                );
        }
    }

    [GeneratedRegex(
        @"\bHostSystem\b|\bOperatingSystem\s*\.|\bOSPlatform\b|\bOSVersion\b|^[ \t]*#(if|elif)\b",
        RegexOptions.Multiline
    )]
    private static partial Regex QuestionPattern();
}
