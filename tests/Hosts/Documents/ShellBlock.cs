// A page of the documents whose commands a reader types one after the other, as one script:
//
//   <!-- sh: in the tree -->     the block behind it runs in the root of the tree
//   <!-- sh: with vm.raw -->     in an empty folder, in which a disk image of this name is made first
//   <!-- sh: run -->             in the same folder
//
// Blocks of sh without such a comment fail: every command of these pages is run.
using System;
using System.Collections.Generic;
using System.IO;
using Xunit;

namespace FastBackup.Tests.Hosts.Documents;

/// <param name="Place">What the comment says.</param>
/// <param name="Commands">Lines of the block.</param>
readonly record struct ShellBlock(string Place, string Commands)
{
    const string MarkBegin = "<!-- sh: ";
    const string MarkEnd = " -->";

    public const string InTheTree = "in the tree";
    public const string WithDisk = "with vm.raw";
    public const string Run = "run";

    /// <summary>All blocks of sh, in order.</summary>
    /// <param name="file">From the root of the tree.</param>
    public static List<ShellBlock> Read(string file)
    {
        List<ShellBlock> blocks = [];
        string mark = "";
        string[] lines = File.ReadAllLines(Repository.PathOf(file));
        for (int at = 0; at < lines.Length; at++)
        {
            if (lines[at].StartsWith(MarkBegin, StringComparison.Ordinal))
                mark = lines[at][MarkBegin.Length..^MarkEnd.Length];
            if (lines[at] != "```sh")
                continue;
            Assert.True(mark is InTheTree or WithDisk or Run, $"{file}:{at + 1}: nothing says where this block runs");
            int end = Array.IndexOf(lines, "```", at);
            blocks.Add(new ShellBlock(mark, string.Join('\n', lines[(at + 1)..end]) + "\n"));
            (mark, at) = ("", end);
        }
        return blocks;
    }
}
