// Raw images: made sparse, copied sparse, compared to the byte.
using System;
using System.IO;
using Xunit;

namespace FastBackup.Tests.Hosts.Machine;

static class DiskFile
{
    const int PieceBytes = 1 << 20;

    /// <summary>A file that is one hole.</summary>
    public static string Create(string path, long sizeBytes)
    {
        using FileStream file = new(path, FileMode.CreateNew);
        file.SetLength(sizeBytes);
        return path;
    }

    public static string Copy(string source, string target)
    {
        Tool.Run("cp", "--sparse=always", source, target);
        return target;
    }

    public static void AssertEqual(string expected, string actual) =>
        Assert.True(
            FindDifference(expected, actual) is not long offset,
            $"'{actual}' differs from '{expected}' at byte {FindDifference(expected, actual)}"
        );

    public static void AssertDifferent(string one, string other) =>
        Assert.True(FindDifference(one, other) != null, $"'{one}' and '{other}' are equal, which proves nothing");

    /// <returns>The first byte that differs, or the end of the shorter file; null when they are equal.</returns>
    public static long? FindDifference(string expected, string actual)
    {
        using FileStream left = File.OpenRead(expected);
        using FileStream right = File.OpenRead(actual);
        byte[] leftPiece = new byte[PieceBytes];
        byte[] rightPiece = new byte[PieceBytes];
        for (long offset = 0; ; offset += PieceBytes)
        {
            int leftCount = left.ReadAtLeast(leftPiece, PieceBytes, throwOnEndOfStream: false);
            int rightCount = right.ReadAtLeast(rightPiece, PieceBytes, throwOnEndOfStream: false);
            int equalCount = leftPiece.AsSpan(0, leftCount).CommonPrefixLength(rightPiece.AsSpan(0, rightCount));
            if (equalCount < leftCount || equalCount < rightCount)
                return offset + equalCount;
            if (leftCount < PieceBytes)
                return null;
        }
    }
}
