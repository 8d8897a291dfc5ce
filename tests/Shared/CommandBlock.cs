// The commands that a document shows: every block of code, fenced or indented, with a line that begins with a program.
// A comment in front of it says for which test it is:
//
//   <!-- sh: KIND -->
//
// What stands behind two blanks in such a line is a remark.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;

namespace FastBackup.Tests;

/// <param name="File">From the root of the tree.</param>
/// <param name="Kind">Of the comment; empty without one.</param>
/// <param name="Text">Its lines as they stand, without the indent of them all.</param>
public sealed partial record CommandBlock(string File, string Kind, string Text)
{
    /// <summary>Its lines without remarks.</summary>
    public string Script => RemarkPattern().Replace(Text, "");

    public string FirstLine => Text.Split('\n')[0];

    /// <summary>All of a document, in order.</summary>
    /// <param name="file">From the root of the tree.</param>
    public static CommandBlock[] Read(string file) =>
        [.. Find(file, System.IO.File.ReadAllText(Repository.PathOf(file)))];

    /// <summary>The one block of a kind.</summary>
    /// <param name="file">From the root of the tree.</param>
    /// <param name="kind">As its comment says it.</param>
    public static CommandBlock Read(string file, string kind) => Read(file).Single(block => block.Kind == kind);

    /// <param name="file">Its name.</param>
    /// <param name="text">What stands in it.</param>
    public static IEnumerable<CommandBlock> Find(string file, string text)
    {
        foreach (Match match in BlockPattern().Matches(text.ReplaceLineEndings("\n")))
        {
            string code = match.Groups["code"].Value.TrimEnd('\n') + "\n";
            int indent = code.Length - code.TrimStart(' ').Length;
            string[] lines = [.. code.Split('\n').Select(line => line.Length >= indent ? line[indent..] : line)];
            if (lines.Any(line => CommandPattern().IsMatch(line)))
                yield return new CommandBlock(file, match.Groups["kind"].Value, string.Join('\n', lines));
        }
    }

    [GeneratedRegex(
        """
            (?:^\ *<!--\ sh:\ (?<kind>[^>]*?)\ -->\n)?
            (?: ^(?<indent>\ *)```\w*\n (?<code>.*?) ^\k<indent>```$
              | (?<=\n\n|-->\n) (?<code>(?:\ \ \ \ .*?\n)+) )
            """,
        RegexOptions.Multiline | RegexOptions.Singleline | RegexOptions.IgnorePatternWhitespace
    )]
    private static partial Regex BlockPattern();

    /// <summary>A program of ours or of the system, behind variables or a prompt.</summary>
    [GeneratedRegex(
        @"^(?:\w+\$ +)?(?:[A-Z_]+=\S+ +)*(?:fastbackup|native-api/\S+|dotnet|apt|apt-get|systemctl|virsh|restic|nbd\w*"
            + @"|qemu-\w+|cc|gcc|make|git|modprobe|mount|touch|truncate|podman|nbdkit|\S*firecracker|cloud-hypervisor"
            + @"|cp|dd|kill|rm)(?: |$)"
    )]
    private static partial Regex CommandPattern();

    [GeneratedRegex(@"(?<=\S)  +(?![-\\ ]).*$", RegexOptions.Multiline)]
    private static partial Regex RemarkPattern();
}
