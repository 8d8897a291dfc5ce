// A planted bug that does not fit the sources: ends the build, with the line of its file.
using System;

namespace FastBackup.Tests.Planter;

/// <param name="path">The bug's file.</param>
/// <param name="lineNumber">In it, from 1.</param>
/// <param name="message">One sentence.</param>
sealed class PlanterException(string path, int lineNumber, string message) : Exception(message)
{
    /// <summary>As the build shows errors: the place, then the sentence.</summary>
    public string Line => $"{path}({lineNumber}): error BUG: {Message}";
}
