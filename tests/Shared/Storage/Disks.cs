// Raw disk images for tests: made, the same in every run, copied sparse, compared to the byte.
using System;
using System.IO;
using System.Threading;
using FastBackup.Tests.Processes;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace FastBackup.Tests.Storage;

public static class Disks
{
    const int ReadTriesMax = 500;
    const int ReadPauseMs = 10;
    const int PieceBytes = 1 << 20;

    /// <summary>A file full of random bytes.</summary>
    public static string Random(string path, long sizeBytes, int seed = 1)
    {
        byte[] content = new byte[sizeBytes];
        new Random(seed).NextBytes(content);
        File.WriteAllBytes(path, content);
        return path;
    }

    /// <summary>A file that is one hole, with random pieces in it.</summary>
    /// <returns>The bytes of the pieces.</returns>
    public static long Sparse(string path, long sizeBytes, params (long Offset, int Length)[] pieces)
    {
        Random random = new(2);
        using SafeFileHandle file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write);
        RandomAccess.SetLength(file, sizeBytes);
        long sum = 0;
        foreach ((long offset, int length) in pieces)
        {
            byte[] piece = new byte[length];
            random.NextBytes(piece);
            RandomAccess.Write(file, piece, offset);
            sum += length;
        }
        RandomAccess.FlushToDisk(file);
        return sum;
    }

    /// <summary>A file that is one hole.</summary>
    public static string Hole(string path, long sizeBytes)
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

    /// <summary>As a program that asks nobody, and so is kept out by no lock.</summary>
    public static void Resize(string path, long sizeBytes)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        file.SetLength(sizeBytes);
    }

    /// <summary>
    /// All of a file that was locked a moment ago: a child that is just being started, by whichever test, has the locks
    /// of this process until it runs its program, and the runtime asks for a lock of its own.
    /// </summary>
    public static byte[] ReadAll(string path)
    {
        for (int tries = 1; ; tries++)
            try
            {
                return File.ReadAllBytes(path);
            }
            catch (IOException) when (tries < ReadTriesMax)
            {
                Thread.Sleep(ReadPauseMs);
            }
    }

    /// <summary>What the file takes on its file system.</summary>
    public static long AllocatedBytes(string path) => 512 * long.Parse(Tool.Run("stat", "-c", "%b", path), null);

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
