// A file system of the guest, and the tools that check an image of it without mounting it here.
using System;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Hosts.Guest;

/// <param name="Type">As mount(8) calls it.</param>
/// <param name="SizeBytes">xfs is not made smaller than 300 MB.</param>
/// <param name="WithoutReplay">Mount options with which its journal is left alone.</param>
sealed record FileSystem(string Type, long SizeBytes, string WithoutReplay)
{
    public static FileSystem Named(string type) =>
        type switch
        {
            "ext4" => new FileSystem(type, 96 << 20, "ro,noload"),
            "xfs" => new FileSystem(type, 320 << 20, "ro,norecovery"),
            _ => throw new ArgumentOutOfRangeException(nameof(type)),
        };

    public void Make(string image)
    {
        if (Type == "ext4")
            Tool.Run("mke2fs", "-q", "-t", "ext4", image);
        else
            Tool.Run("mkfs.xfs", "-q", image);
    }

    /// <summary>
    /// Whether its image says by itself that the journal is needed. A frozen xfs leaves its journal and the counters of
    /// its superblock behind on purpose, so that a crash in that state is repaired: xfs_repair frowns until a mount.
    /// </summary>
    public bool TellsReplay => Type == "ext4";

    /// <summary>Whether the journal has something that the file system has not.</summary>
    public static bool NeedsReplay(string image) =>
        Tool.Run("debugfs", "-R", "features", image).Contains("needs_recovery", StringComparison.Ordinal);

    /// <summary>Replays the journal where a tool does it; xfs leaves it to the next mount.</summary>
    public void Replay(string image)
    {
        const int corrected = 1; // Source: e2fsck(8)
        if (Type == "ext4")
            Tool.RunToCode(corrected, "e2fsck", "-fy", image);
    }

    /// <summary>Fails the test if the checker finds anything at all.</summary>
    public void AssertClean(string image)
    {
        if (Type == "ext4")
            Tool.Run("e2fsck", "-fn", image);
        else
            Tool.Run("xfs_repair", "-n", image);
    }
}
