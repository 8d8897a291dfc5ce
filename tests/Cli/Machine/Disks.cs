// Disk images for tests, the same in every run.
using System;
using System.IO;
using FastBackup.Base;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace FastBackup.Tests.Cli.Machine;

static class Disks
{
    /// <summary>A file full of random bytes.</summary>
    public static string Random(string path, long sizeBytes, ulong seed = 1)
    {
        byte[] content = new byte[sizeBytes];
        new Prng(seed).Fill(content);
        File.WriteAllBytes(path, content);
        return path;
    }

    /// <summary>A file that is one hole, with random pieces in it.</summary>
    /// <returns>The bytes of the pieces.</returns>
    public static long Sparse(string path, long sizeBytes, params (long Offset, int Length)[] pieces)
    {
        Prng prng = new(2);
        using SafeFileHandle file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write);
        RandomAccess.SetLength(file, sizeBytes);
        long sum = 0;
        foreach ((long offset, int length) in pieces)
        {
            byte[] piece = new byte[length];
            prng.Fill(piece);
            RandomAccess.Write(file, piece, offset);
            sum += length;
        }
        RandomAccess.FlushToDisk(file);
        return sum;
    }

    /// <summary>What the file takes on its file system.</summary>
    public static long AllocatedBytes(string path) =>
        512 * long.Parse(Programs.Run("/", "stat", "-c", "%b", path).Expect(0).Output, null);

    public static void AssertEqual(string expected, string actual)
    {
        using FileStream left = File.OpenRead(expected);
        using FileStream right = File.OpenRead(actual);
        Assert.Equal(left.Length, right.Length);
        byte[] leftPiece = new byte[1 << 20];
        byte[] rightPiece = new byte[1 << 20];
        int count;
        while ((count = left.ReadAtLeast(leftPiece, leftPiece.Length, throwOnEndOfStream: false)) > 0)
        {
            right.ReadExactly(rightPiece.AsSpan(0, count));
            bool isEqual = leftPiece.AsSpan(0, count).SequenceEqual(rightPiece.AsSpan(0, count));
            Assert.True(isEqual, $"'{expected}' and '{actual}' differ within 1 MiB before offset {left.Position}");
        }
    }
}
