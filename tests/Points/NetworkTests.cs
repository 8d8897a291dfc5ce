// A network that is gone for a while, and for ever, in front of both kinds of servers: the connection stays, and
// nothing comes. What is asked is asked again, on another connection, until the limit of time; and what is slow is no
// such thing.
using System;
using System.Diagnostics;
using System.Threading;
using FastBackup.Repositories;
using Xunit;

namespace FastBackup.Tests.Points;

public sealed class NetworkTests
{
    const string Name = "aa";
    static readonly TimeSpan s_stall = TimeSpan.FromMilliseconds(300);

    [Theory]
    [InlineData(true, Silence.Deaf)]
    [InlineData(true, Silence.Mute)]
    [InlineData(true, Silence.Midway)]
    [InlineData(false, Silence.Deaf)]
    [InlineData(false, Silence.Mute)]
    [InlineData(false, Silence.Midway)]
    public void NetworkThatIsGoneForEver_IsOneSentence(bool isRest, Silence silence)
    {
        using SilentServer server = new(silence);
        using RetryingStore store = Open(server, isRest, TimeSpan.FromSeconds(1), CancellationToken.None);
        long start = Stopwatch.GetTimestamp();
        RepositoryException exception = Assert.Throws<RepositoryException>(() => store.Read(StoreKind.Key, Name));
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0.9, 20);
        Assert.Equal(RepositoryError.Unreachable, exception.Error);
        Assert.Contains(store.Name, exception.Message, StringComparison.Ordinal);
        Assert.Matches("did not answer in time|the connection ended in the middle", exception.Message);
        Assert.InRange(store.Requests!.RetryCount, 1, 100);
    }

    [Theory]
    [InlineData(true, Silence.Mute)]
    [InlineData(true, Silence.Midway)]
    [InlineData(false, Silence.Mute)]
    [InlineData(false, Silence.Midway)]
    public void NetworkThatIsGoneForAWhile_IsWaitedFor(bool isRest, Silence silence)
    {
        using SilentServer server = new(silence, count: 3);
        using RetryingStore store = Open(server, isRest, TimeSpan.FromSeconds(30), CancellationToken.None);
        Assert.True(store.Read(StoreKind.Key, Name).AsSpan().SequenceEqual(server.Content));
        byte[] part = new byte[1000];
        store.Read(StoreKind.Pack, Name, 5000, part);
        Assert.True(part.AsSpan().SequenceEqual(server.Content.AsSpan(5000, 1000)));
        Assert.Equal(3, store.Requests!.RetryCount);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AnswerThatTakesLongerThanAStallMay_IsNoStall(bool isRest)
    {
        using SilentServer server = new(Silence.Slow);
        using RetryingStore store = Open(server, isRest, TimeSpan.Zero, CancellationToken.None);
        Assert.True(store.Read(StoreKind.Key, Name).AsSpan().SequenceEqual(server.Content));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void UploadThatNobodyTakes_IsGivenUp(bool isRest)
    {
        using SilentServer server = new(Silence.Deaf);
        using RetryingStore store = Open(server, isRest, TimeSpan.Zero, CancellationToken.None);
        RepositoryException exception = Assert.Throws<RepositoryException>(() =>
            store.Write(StoreKind.Pack, Name, new byte[12 << 20])
        );
        Assert.Equal(RepositoryError.Unreachable, exception.Error);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void SignalWhileNothingComes_EndsAtOnce(bool isRest)
    {
        using SilentServer server = new(Silence.Midway);
        using CancellationTokenSource cancel = new(TimeSpan.FromMilliseconds(100));
        using RetryingStore store = Open(
            server,
            isRest,
            TimeSpan.FromMinutes(1),
            cancel.Token,
            TimeSpan.FromMinutes(1)
        );
        RepositoryException exception = Assert.Throws<RepositoryException>(() => store.Read(StoreKind.Key, Name));
        Assert.Equal(RepositoryError.Canceled, exception.Error);
    }

    static RetryingStore Open(
        SilentServer server,
        bool isRest,
        TimeSpan patience,
        CancellationToken cancel,
        TimeSpan? stall = null
    )
    {
        string url = $"http://127.0.0.1:{server.Port}/";
        IStore store = isRest
            ? new RestStore(new Uri(url), null, null, cancel, stall ?? s_stall)
            : new S3Store(
                S3Address.Parse($"s3:{url}bucket"),
                new S3Credentials("a", "b", null),
                cancel,
                stall ?? s_stall
            );
        return new RetryingStore(store, patience, cancel, firstWaitMs: 20);
    }
}
