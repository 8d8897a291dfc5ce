// Members of core that production never names: what only tests call is either a probe that says so here, or dead.
// A name counts once it stands anywhere in core, native-api, interop or bench beside its declaration, so what shares
// its name with something alive is not found.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;
using FastBackup.Tests.Tidy.Source;
using Xunit;

namespace FastBackup.Tests.Tidy;

public sealed partial class DeadMemberTests
{
    /// <summary>What is there so that tests can see or do something, and what.</summary>
    static readonly Dictionary<string, string> Probes = new()
    {
        ["Verify"] = "the bitmap against its own summaries",
        ["Lanes"] = "who waits for a device",
        ["ContinuationCount"] = "calls that the kernel cut short or asked to repeat",
        ["IssuedCount"] = "fences made",
        ["PauseInternally"] = "a pause that no user asked for",
        ["ResumeInternally"] = "its end",
        ["TextTrace"] = "the trace as lines, for logs of failures",
    };

    static readonly string[] Layers = ["core", "native-api", "interop", "bench"];

    [Fact]
    public void MembersOfCore_AreNamedByProduction() =>
        Violation.AssertNone(Find(Tree.CSharp.Where(file => Layers.Contains(file.Layer)), Probes.Keys.ToHashSet()));

    [Fact]
    public void Probes_AreStillThere()
    {
        HashSet<string> dead = Find(Tree.CSharp.Where(file => Layers.Contains(file.Layer)), [])
            .Select(violation => violation.Message.Split(' ')[0])
            .ToHashSet();
        Assert.Empty(Probes.Keys.Except(dead));
    }

    [Fact]
    public void ADeadMember_IsFound()
    {
        SourceFile one = new(
            "core/A.cs",
            "class A { // Foo\n    public int Foo(int bar) => bar;\n    int Bar => Baz;\n}"
        );
        SourceFile two = new("core/B.cs", "class B {\n    internal static uint Baz => 1;\n}");
        Violation found = Assert.Single(Find([one, two], []));
        Assert.StartsWith("Foo ", found.Message, StringComparison.Ordinal);
        SourceFile caller = new("bench/C.cs", "x.Foo(1);");
        Assert.Empty(Find([one, two, caller], []));
        Assert.Empty(Find([one, two], ["Foo"]));
    }

    static IEnumerable<Violation> Find(IEnumerable<SourceFile> files, HashSet<string> isKnown)
    {
        SourceFile[] all = [.. files];
        Dictionary<string, int> counts = [];
        foreach (Match word in all.SelectMany(WordsOf))
            counts[word.Value] = counts.GetValueOrDefault(word.Value) + 1;
        foreach (SourceFile file in all.Where(file => file.Layer == "core"))
        foreach (Match member in MemberPattern().Matches(file.Code))
        {
            string name = member.Groups["name"].Value;
            if (counts[name] == 1 && !isKnown.Contains(name) && !IsNamedByItsMembers(member.Value))
                yield return new Violation(
                    file.Path,
                    file.LineOf(member.Groups["name"].Index),
                    $"{name} is never named"
                );
        }
    }

    /// <summary>An override is called by its base, a static class by the names of its extension methods.</summary>
    static bool IsNamedByItsMembers(string member) =>
        member.Contains(" override ", StringComparison.Ordinal)
        || member.Contains(" static class ", StringComparison.Ordinal);

    /// <summary>Of all but comments: a string may name a member in braces.</summary>
    static IEnumerable<Match> WordsOf(SourceFile file) =>
        WordPattern().Matches(file.Text).Where(word => char.IsWhiteSpace(file.Comments[word.Index]));

    [GeneratedRegex(@"\b[A-Za-z_]\w*")]
    private static partial Regex WordPattern();

    [GeneratedRegex(
        @"^[ \t]*(?:public|internal) [^=;{}\n]*?\b(?<name>\w+)(?=[ \t]*(?:\(|\{|=|;|<|$))",
        RegexOptions.Multiline
    )]
    private static partial Regex MemberPattern();
}
