// Paths as a test compares them: relative and in order.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

namespace FastBackup.Tests.Cli.Command;

static class PathNames
{
    public static string[] AsRelativeTo(this IEnumerable<string> paths, string folder) =>
        [.. paths.Select(path => Path.GetRelativePath(folder, path)).Order(StringComparer.Ordinal)];
}
