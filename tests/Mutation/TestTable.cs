// Which test classes are run for which file: Tests.txt, in which the first line whose path begins the file's decides.
// Those behind a bar are slow, and are run for what the others let live.
using System;
using System.Collections.Generic;
using System.IO;

namespace FastBackup.Tests.Mutation;

static class TestTable
{
    /// <returns>Names of classes, without their namespaces: those that come first, and the slow ones.</returns>
    public static (string[] First, string[] Slow) ClassesOf(string file)
    {
        foreach (string line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Tests.txt")))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length > 1 && words[0] != "#" && file.StartsWith(words[0], StringComparison.Ordinal))
            {
                int bar = Array.IndexOf(words, "|");
                return bar < 0 ? (words[1..], []) : (words[1..bar], words[(bar + 1)..]);
            }
        }
        throw new ArgumentException($"--file '{file}': Tests.txt has no line for it");
    }
}
