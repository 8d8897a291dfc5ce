// What a rule found, and the assertion that it found nothing.
using System;
using System.Collections.Generic;
using System.Linq;
using Xunit;

namespace FastBackup.Tests.Tidy.Source;

/// <param name="Path">The file, from the repository root.</param>
/// <param name="Line">From 1; 0 when the whole file or folder is meant.</param>
/// <param name="Message">What is wrong and what to do instead.</param>
sealed record Violation(string Path, int Line, string Message)
{
    /// <summary>Fails with one line for each violation, in the form that editors open.</summary>
    public static void AssertNone(IEnumerable<Violation> violations)
    {
        Violation[] all = [.. violations];
        if (all.Length > 0)
            Assert.Fail(string.Join(Environment.NewLine, all.Select(one => one.ToString())));
    }

    public override string ToString() => Line == 0 ? $"{Path}: {Message}" : $"{Path}:{Line}: {Message}";
}
