// Our SHA-256 against the framework's, whole and in pieces of every length around the block's.
using System;
using System.Security.Cryptography;
using FastBackup.Base;
using Xunit;

namespace FastBackup.Tests.Unit.Base;

public sealed class Sha256Tests
{
    [Fact]
    public void Hash_OfEveryLengthUpToFourBlocks_IsTheFrameworks()
    {
        byte[] content = new byte[4 * 64 + 1];
        new Random(1).NextBytes(content);
        byte[] hash = new byte[Sha256.HashBytes];
        for (int length = 0; length <= content.Length; length++)
        {
            Sha256 whole = new();
            whole.Append(content.AsSpan(0, length));
            whole.Finish(hash);
            Assert.Equal(SHA256.HashData(content.AsSpan(0, length)), hash);
        }
    }

    [Fact]
    public void Hash_InPieces_IsThatOfTheWhole()
    {
        byte[] content = new byte[1 << 20];
        new Random(2).NextBytes(content);
        byte[] hash = new byte[Sha256.HashBytes];
        foreach (int piece in new[] { 1, 3, 63, 64, 65, 127, 1000, 65536 })
        {
            Sha256 pieces = new();
            for (int at = 0; at < content.Length; at += piece)
                pieces.Append(content.AsSpan(at, Math.Min(piece, content.Length - at)));
            pieces.Finish(hash);
            Assert.Equal(SHA256.HashData(content), hash);
        }
    }
}
