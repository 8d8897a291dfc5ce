// The page of what NBD was tried with: each test that it names is there, and runs the programs of its row.
using System;
using System.IO;
using System.Linq;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class NbdMatrixTests
{
    const string Page = "native-api/docs/nbd-matrix.md";

    /// <summary>What a test says in place of a program's name.</summary>
    static readonly (string Name, string Said)[] s_otherWords =
    [
        ("nbdsh", "\"-m\", \"nbd\""),
        ("libnbd's Python binding", "dirty_extents.py"),
        ("fio (nbd)", "--ioengine=nbd"),
    ];

    [Fact]
    public void EachTest_IsThere_AndRunsItsPrograms()
    {
        string[][] rows =
        [
            .. File.ReadLines(Repository.PathOf(Page))
                .Where(line => line.StartsWith("| ", StringComparison.Ordinal) && line.Contains(".cs`"))
                .Select(line =>
                    line.Split('|', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                ),
        ];
        Assert.InRange(rows.Length, 20, 100);
        foreach (string[] row in rows)
        {
            string path = Repository.PathOf(row[2].Trim('`'));
            Assert.True(File.Exists(path), row[2]);
            string test = File.ReadAllText(path);
            bool isByName = row[0].StartsWith("any", StringComparison.Ordinal) || path.Contains("Documents");
            foreach (string name in isByName ? [] : row[0].Split(", "))
            {
                string said = s_otherWords.FirstOrDefault(one => one.Name == name).Said ?? $"\"{name}\"";
                Assert.True(test.Contains(said, StringComparison.Ordinal), $"{row[2]} does not run {name}");
            }
        }
    }
}
