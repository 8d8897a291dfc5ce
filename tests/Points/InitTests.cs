// Repositories that are made: by two at once, by one that ended in the middle, and such as a later program will make.
using System;
using System.Text.Json;
using FastBackup.Repositories;
using Xunit;

namespace FastBackup.Tests.Points;

public sealed class InitTests : IDisposable
{
    const int CheapCost = 2;

    readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Whichever operation fails, the next try makes a repository that the password opens.</summary>
    [Theory]
    [InlineData(StoreFailure.Before)]
    [InlineData(StoreFailure.After)]
    public void InitThatFails_IsFinishedByTheNext(StoreFailure failure)
    {
        FaultyStore whole = new();
        TrialPoints.Create(whole);
        for (long at = 0; at < whole.OperationCount; at++)
        {
            FaultyStore store = new();
            store.FailAt(at, int.MaxValue, failure);
            _ = Assert.Throws<RepositoryException>(() => TrialPoints.Create(store));
            store.FailAt(long.MaxValue, 0, failure);
            try
            {
                TrialPoints.Create(store);
            }
            catch (RepositoryException exception) when (exception.Error == RepositoryError.Refused)
            {
                Assert.NotNull(store.SizeOf(StoreKind.Config, "")); // it was made, and the answer was lost
            }
            Assert.Single(store.List(StoreKind.Key));
            OpenedRepository.Open(store, TrialPoints.Password).Dispose();
        }
    }

    /// <summary>The second one's key must not stay: it would open nothing.</summary>
    [Fact]
    public void OfTwoAtOnce_OneMakesIt_AndTheOtherIsTold()
    {
        string path = _folder["repo"];
        using LocalStore other = new(path);
        Meanwhile store = new(new LocalStore(path), () => OpenedRepository.Create(other, "b", CheapCost));
        RepositoryException exception = Assert.Throws<RepositoryException>(() =>
            OpenedRepository.Create(store, "a", CheapCost)
        );
        Assert.Equal(RepositoryError.Refused, exception.Error);
        Assert.Contains("holds a repository already", exception.Message, StringComparison.Ordinal);
        Assert.Single(other.List(StoreKind.Key));
        OpenedRepository.Open(new LocalStore(path), "b").Dispose();
    }

    [Fact]
    public void LaterVersion_IsRefusedWithTheWayOut()
    {
        FaultyStore store = new();
        using OpenedRepository made = OpenedRepository.Create(store, TrialPoints.Password, CheapCost);
        using BlobCipher cipher = new(made.Key);
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(
            made.Config with
            {
                Version = 3,
            },
            Documents.Readable.ConfigDocument
        );
        store.Write(StoreKind.Config, "", cipher.Seal(json));
        RepositoryException exception = Assert.Throws<RepositoryException>(() =>
            OpenedRepository.Open(store, TrialPoints.Password)
        );
        Assert.Equal(RepositoryError.Foreign, exception.Error);
        Assert.Contains("version 3", exception.Message, StringComparison.Ordinal);
        Assert.EndsWith("take a newer program", exception.Message, StringComparison.Ordinal);
    }

    /// <summary>Something happens between the key and the config.</summary>
    sealed class Meanwhile(IStore inner, Func<OpenedRepository> act) : IStore
    {
        public string Name => inner.Name;

        public void Create() => inner.Create();

        public System.Collections.Generic.List<StoredFile> List(StoreKind kind) => inner.List(kind);

        public long? SizeOf(StoreKind kind, string name) => inner.SizeOf(kind, name);

        public byte[] Read(StoreKind kind, string name) => inner.Read(kind, name);

        public void Read(StoreKind kind, string name, long offsetBytes, Span<byte> part) =>
            inner.Read(kind, name, offsetBytes, part);

        public void Write(StoreKind kind, string name, ReadOnlyMemory<byte> content)
        {
            if (kind == StoreKind.Key)
                _ = act();
            inner.Write(kind, name, content);
        }

        public void Remove(StoreKind kind, string name) => inner.Remove(kind, name);

        public void Dispose() => inner.Dispose();
    }
}
