// The engine has no line of the bugs that the simulator plants in its own copy of it, and each of them still fits. The
// simulator's build says the same, but later: who changes a line that a bug is about hears it here.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Tests.Planter;
using FastBackup.Tests.Tidy.Source;
using Xunit;

namespace FastBackup.Tests.Tidy;

public sealed class PlantedBugTests
{
    static readonly string[] Production = ["core", "interop", "native-api"];

    static readonly Dictionary<string, string[]> Sources = new()
    {
        ["Copy/Gate.cs"] = ["class Gate", "{", "    void Open()", "    {", "        Wake();", "    }", "}"],
        ["Jobs/Tap.cs"] = ["Wake();", "Rest();", "Wake();"],
    };

    [Fact]
    public void WhatIsShipped_HasNoPlantedBugs() =>
        Violation.AssertNone(
            Tree.Texts()
                .Where(file => Production.Contains(file.Path.Split('/')[0]))
                .SelectMany(file => Find(file.Path, file.Text))
        );

    [Fact]
    public void EveryBug_FitsTheSources()
    {
        try
        {
            Garden.Plant(
                Garden.ReadSources(Tree.FullPath("core")),
                Garden.ReadBugs(Tree.FullPath("tests/Simulation/Bugs"))
            );
        }
        catch (PlanterException error)
        {
            Assert.Fail(error.Line);
        }
    }

    [Fact]
    public void PlantedBugInTheEngine_IsFound() =>
        Assert.Equal(2, Assert.Single(Find("core/A.cs", "a();\nif (Planted.Is(x))\n")).Line);

    [Fact]
    public void ABug_StandsBehindItsSwitch_WithTheIndentationOfItsPlace()
    {
        string[] gate = Plant("NeverWakes", "@ Gate.cs", "-Wake();", "+if (!BUG)", "+    Wake();")["Copy/Gate.cs"];
        Assert.StartsWith(
            "        if (!global::FastBackup.Tests.Simulation.Planted.Is(",
            gate[4],
            StringComparison.Ordinal
        );
        Assert.EndsWith("PlantedBug.NeverWakes))", gate[4], StringComparison.Ordinal);
        Assert.Equal("            Wake();", gate[5]);
        Assert.Equal(Sources["Copy/Gate.cs"].Length + 1, gate.Length);
    }

    [Fact]
    public void ABugOfSeveralPlaces_IsPlantedInAll()
    {
        Dictionary<string, string[]> planted = Plant(
            "Twice",
            "# Two files, and a line less.",
            "@ Copy/Gate.cs",
            "-Wake();",
            "@ Tap.cs",
            "-Rest();",
            "+Rest(BUG);"
        );
        Assert.DoesNotContain("        Wake();", planted["Copy/Gate.cs"]);
        Assert.Equal(Sources["Jobs/Tap.cs"].Length, planted["Jobs/Tap.cs"].Length);
        Assert.Contains("    Twice,", planted[Garden.EnumPath]);
    }

    [Fact]
    public void ASeam_IsNoBug_AndNeedsNoSwitch()
    {
        Bug seam = new("World.seam", ["@ Tap.cs", "-Rest();", "+World.Rest();"]);
        Dictionary<string, string[]> planted = Garden.Plant(Sources, [seam]);
        Assert.Equal("World.Rest();", planted["Jobs/Tap.cs"][1]);
        Assert.DoesNotContain("    World,", planted[Garden.EnumPath]);
    }

    [Fact]
    public void BugsOfNeighbours_MayShareTheLinesThatSayWhere()
    {
        Bug first = new("First.bug", ["@ Tap.cs", "-Wake();", "-Rest();", "+Wake();", "+if (BUG) return;", "+Rest();"]);
        Bug second = new("Second.bug", ["@ Tap.cs", "-Rest();", "-Wake();", "+Rest(BUG);", "+Wake();"]);
        string[] tap = Garden.Plant(Sources, [second, first])["Jobs/Tap.cs"];
        Assert.Equal(4, tap.Length);
        Assert.Contains("First", tap[1], StringComparison.Ordinal);
        Assert.Contains("Second", tap[2], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(
        "planted bug B: it no longer applies: no lines of Copy/Gate.cs read 'Sleep(); / Wake();'",
        "@ Gate.cs",
        "-Sleep();",
        "-Wake();",
        "+Wake(BUG);"
    )]
    [InlineData(
        "planted bug B: it is ambiguous: 2 places of Jobs/Tap.cs read 'Wake();'",
        "@ Tap.cs",
        "-Wake();",
        "+Wake(BUG);"
    )]
    [InlineData("planted bug B: it no longer applies: the engine has no file Door.cs", "@ Door.cs", "-a", "+BUG")]
    [InlineData("planted bug B: a line with @ and a file must come before it", "-Wake();", "+BUG")]
    [InlineData("planted bug B: a + line has no - line before it: where does it belong?", "@ Tap.cs", "+BUG")]
    [InlineData("planted bug B: the line '*' begins with none of # @ - +", "*")]
    [InlineData("planted bug B: no line of it has the word BUG: it would always be in force", "@ Tap.cs", "-Rest();")]
    [InlineData("planted bug B: it changes nothing", "# Nothing.")]
    public void ABugThatDoesNotFit_IsNamedWithItsLine(string sentence, params string[] lines)
    {
        PlanterException error = Assert.Throws<PlanterException>(() => Plant("B", lines));
        Assert.Equal(sentence, error.Message);
        Assert.Matches(@"^B\.bug\(\d+\): error ", error.Line);
    }

    [Fact]
    public void TwoBugsOnOneLine_AreNamed()
    {
        Bug first = new("First.bug", ["@ Tap.cs", "-Rest();", "+Rest(BUG);"]);
        Bug second = new("Second.bug", ["@ Tap.cs", "-Rest();", "+Sleep(BUG);"]);
        PlanterException error = Assert.Throws<PlanterException>(() => Garden.Plant(Sources, [first, second]));
        Assert.Equal("planted bug Second: it changes line 2 of Jobs/Tap.cs, as bug First does", error.Message);
    }

    static Dictionary<string, string[]> Plant(string name, params string[] lines) =>
        Garden.Plant(Sources, [new Bug(name + ".bug", lines)]);

    static IEnumerable<Violation> Find(string path, string text) =>
        text.Split('\n')
            .Index()
            .Where(line => line.Item.Contains("Planted", StringComparison.Ordinal))
            .Select(line => new Violation(path, line.Index + 1, "planted bugs live in tests/Simulation/Bugs"));
}
