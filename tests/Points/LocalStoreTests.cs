// Files of a repository in a folder: what is large goes past the page cache, where memory and file system allow, and
// is the same as what is small.
using System;
using System.IO;
using System.Security.Cryptography;
using FastBackup.Repositories;
using Xunit;

namespace FastBackup.Tests.Points;

public sealed class LocalStoreTests : IDisposable
{
    const int Mebi = 1 << 20;

    readonly TempFolder _folder = new();
    readonly LocalStore _store;

    public LocalStoreTests() => (_store = new LocalStore(_folder["repo"])).Create();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(Mebi - 1)]
    [InlineData(Mebi)]
    [InlineData(Mebi + 1)]
    [InlineData(3 * Mebi + 4095)]
    public void File_FromAPageOrNot_ComesBackExactly(int length)
    {
        foreach (int skipped in new[] { 0, 1 })
        {
            Memory<byte> content = PageMemory.Allocate(length + skipped)[skipped..];
            RandomNumberGenerator.Fill(content.Span);
            string name = BlobId.Of(content.Span).ToString();
            _store.Write(StoreKind.Pack, name, content);
            Assert.True(_store.Read(StoreKind.Pack, name).AsSpan().SequenceEqual(content.Span));
            Assert.Equal(length, _store.SizeOf(StoreKind.Pack, name));
        }
        Assert.Empty(Directory.GetFiles(_folder["repo/tmp"]));
    }

    [Fact]
    public void PartOfAFile_IsThatPart_AndOneBeyondItsEndIsDamaged()
    {
        byte[] content = RandomNumberGenerator.GetBytes(5 * Mebi + 77);
        string name = BlobId.Of(content).ToString();
        _store.Write(StoreKind.Pack, name, content);
        foreach (int offset in new[] { 0, 1, 4095, 4096, 2 * Mebi - 1 })
        foreach (int length in new[] { 1, 4096, Mebi - 1, Mebi, 2 * Mebi + 1, content.Length - 2 * Mebi })
        {
            byte[] part = new byte[length];
            _store.Read(StoreKind.Pack, name, offset, part);
            Assert.True(part.AsSpan().SequenceEqual(content.AsSpan(offset, length)));
        }
        foreach (int length in new[] { 78, Mebi })
            Assert.Equal(
                RepositoryError.Damaged,
                Assert
                    .Throws<RepositoryException>(() =>
                        _store.Read(StoreKind.Pack, name, content.Length - length + 1, new byte[length])
                    )
                    .Error
            );
    }
}
