// native-api/docs/monitor.md says nothing that does not happen: its conversations are held, its command lines run, its
// table has every command and no other.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Xunit;

namespace FastBackup.Tests.Hosts.Monitor;

public sealed partial class TranscriptTests
{
    static readonly string[] s_lines = File.ReadAllLines(Repository.PathOf("native-api/docs/monitor.md"));

    [Fact]
    public void Conversations_AreHeld()
    {
        using MonitorScene scene = new();
        string target = scene.Folder.Hole("full.img", MonitorScene.DiskBytes);
        using QmpConnection connection = QmpConnection.Silent(scene.Host.Socket);
        string[] said = [.. Blocks("json").SelectMany(Statements)];
        Assert.True(said.Length > 15, $"{said.Length} statements");
        foreach (string one in said)
        {
            string text = one[3..].Replace("/backup/full.img", target);
            if (one.StartsWith("->", StringComparison.Ordinal))
                connection.Send(text + "\n");
            else
                AssertAlike(text, connection.ReadLine()!);
        }
    }

    [Fact]
    public void CommandLines_Run()
    {
        using MonitorScene scene = new();
        string target = scene.Folder.Hole("vm7.img", MonitorScene.DiskBytes);
        string folder = Directory.CreateDirectory(scene.Folder["vm7"]).FullName;
        string[] lines = [.. Blocks("sh").SelectMany(block => block)];
        Assert.True(lines.Length >= 5, $"{lines.Length} lines");
        foreach (string line in lines)
        {
            string here = line.Replace("/run/vm7.sock", scene.Host.Socket)
                .Replace("/backup/vm7.img", target)
                .Replace("/backup/vm7/", folder + "/")
                .Replace("/backup/system.img", scene.Folder["system.img"])
                .Replace("virsh domfs", "echo "); // the guest has no agent
            string[] words = [.. WordPattern().Matches(here).Select(word => word.Value.Trim('\''))];
            Assert.Equal("fastbackup", words[0]);
            CommandLineTests.Expect(0, words[1..]);
        }
        MonitorScene.AssertSame(scene.Disk(), target);
        MonitorScene.AssertSame(scene.Disk(), scene.Folder["vm7/vda.img"]);
        MonitorScene.AssertSame(scene.Disk(), scene.Folder["system.img"]);
    }

    [Fact]
    public void Table_HasEveryCommand()
    {
        using MonitorScene scene = new();
        IEnumerable<string> offered = scene.Client.Run("query-commands").AsArray().Select(one => (string)one!["name"]!);
        IEnumerable<string> rows = s_lines
            .SkipWhile(line => line != "## Commands")
            .TakeWhile(line => !line.StartsWith("Events:", StringComparison.Ordinal))
            .Where(line => line.StartsWith("| `", StringComparison.Ordinal))
            .Select(line => line.Split('|')[1]);
        IEnumerable<string> listed = rows.SelectMany(cell => NamePattern().Matches(cell))
            .Select(one => one.Groups[1].Value);
        Assert.Equal(offered.Order(), listed.Order());
    }

    static IEnumerable<string[]> Blocks(string language)
    {
        for (int at = 0; at < s_lines.Length; at++)
            if (s_lines[at] == "```" + language)
            {
                string[] block = [.. s_lines.Skip(at + 1).TakeWhile(line => line != "```")];
                at += block.Length + 1;
                yield return block;
            }
    }

    /// <summary>A line that begins with blanks goes on with the one before.</summary>
    static IEnumerable<string> Statements(string[] block)
    {
        List<string> statements = [];
        foreach (string line in block)
            if (line.StartsWith(' '))
                statements[^1] += line;
            else
                statements.Add(line);
        return statements;
    }

    /// <summary>Equal as JSON; "..." stands for any value.</summary>
    static void AssertAlike(string expected, JsonNode actual)
    {
        JsonObject wanted = JsonNode.Parse(expected.Replace("...", "null"))!.AsObject();
        foreach ((string name, JsonNode? value) in wanted.ToArray())
            if (value == null)
                wanted[name] = actual[name]?.DeepClone();
        Assert.True(JsonNode.DeepEquals(wanted, actual), $"{expected}\n{actual.ToJsonString()}");
    }

    [GeneratedRegex("'[^']*'|\\S+")]
    private static partial Regex WordPattern();

    [GeneratedRegex("`([a-z_0-9-]+)`")]
    private static partial Regex NamePattern();
}
