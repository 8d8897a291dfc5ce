// The README is read by somebody who has five minutes.
using System.Collections.Generic;
using System.Linq;
using FastBackup.Tests.Tidy.Source;
using Xunit;

namespace FastBackup.Tests.Tidy;

public sealed class ReadmeLengthTests
{
    const int LinesMax = 249;

    [Fact]
    public void Readme_IsBelow250Lines() =>
        Violation.AssertNone(
            Tree.Texts().Where(file => file.Path == "README.md").SelectMany(file => Find(file.Path, file.Text))
        );

    [Fact]
    public void LongReadme_IsFound()
    {
        Assert.Single(Find("README.md", string.Concat(Enumerable.Repeat("a\n", LinesMax + 1))));
        Assert.Empty(Find("README.md", string.Concat(Enumerable.Repeat("a\n", LinesMax))));
    }

    static IEnumerable<Violation> Find(string path, string text)
    {
        int count = text.TrimEnd('\n').Count(one => one == '\n') + 1;
        if (count > LinesMax)
            yield return new Violation(
                path,
                0,
                $"{count} lines; at most {LinesMax}: move detail beside what it explains"
            );
    }
}
