// The rules see the same files with git and without it: people read an archive of the sources, too.
using System;
using System.IO;
using System.Linq;
using FastBackup.Tests.Tidy.Source;
using Xunit;

namespace FastBackup.Tests.Tidy;

public sealed class TreeTests
{
    /// <summary>The other way round there may be what a clone's own exclude file names.</summary>
    [Fact]
    public void FilesWithoutGit_AreThoseOfGit() =>
        Assert.Empty(Tree.Paths.Except(Tree.Walk(Tree.Root), StringComparer.Ordinal));

    [Fact]
    public void WhatIsBuilt_IsNoFileOfTheTree()
    {
        using TempFolder folder = new();
        foreach (string inner in new[] { "core/bin/Release", "core/obj", ".git", "core/Base", ".ci" })
            File.WriteAllText(Path.Combine(Directory.CreateDirectory(folder[inner]).FullName, "file"), "");
        Assert.Equal([".ci/file", "core/Base/file"], Tree.Walk(folder.Path));
    }
}
