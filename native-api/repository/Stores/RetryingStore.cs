// Tries again what a store could not do because it did not answer: with growing waits and some chance in them, until a
// limit of time. A write whose answer was lost may have happened: what is there under the name is then read back, and
// its name must be the hash of its content.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Threading;

namespace FastBackup.Repositories;

/// <summary>Threads: any.</summary>
/// <param name="inner">Owned.</param>
/// <param name="limit">How long an operation may go on failing.</param>
/// <param name="cancel">Ends the waits.</param>
/// <param name="firstWaitMs">Doubled with each failure.</param>
/// <param name="tell">Told once, in a sentence, when an operation has failed six times; on any thread.</param>
sealed class RetryingStore(
    IStore inner,
    TimeSpan limit,
    CancellationToken cancel,
    int firstWaitMs = 50,
    Action<string>? tell = null
) : IStore
{
    /// <summary>Of failures that are told: a moment's are nobody's affair.</summary>
    const int ToldAfter = 6;

    const int LongestWaitMs = 10_000;

    readonly TimeSpan _limit = limit;
    readonly CancellationToken _cancel = cancel;
    readonly int _firstWaitMs = firstWaitMs;
    readonly Action<string>? _tell = tell;
    int _isTold;

    public string Name => inner.Name;

    public StoreRequests? Requests => inner.Requests;

    public void Create() => _ = Try(() => Nothing(inner.Create));

    public List<StoredFile> List(StoreKind kind) => Try(() => inner.List(kind));

    public long? SizeOf(StoreKind kind, string name) => Try(() => inner.SizeOf(kind, name));

    public byte[] Read(StoreKind kind, string name) => Try(() => inner.Read(kind, name));

    public void Read(StoreKind kind, string name, long offsetBytes, Span<byte> part)
    {
        Attempts attempts = new(this);
        while (true)
        {
            try
            {
                inner.Read(kind, name, offsetBytes, part);
                return;
            }
            catch (RepositoryException exception) when (attempts.MayGoOn(exception))
            {
                attempts.Wait(exception);
            }
        }
    }

    public void Write(StoreKind kind, string name, ReadOnlyMemory<byte> content)
    {
        bool isDoubtful = false;
        _ = Try(() =>
        {
            if (isDoubtful && IsThere(kind, name, content))
                return true;
            isDoubtful = true;
            inner.Write(kind, name, content);
            return true;
        });
    }

    public void Remove(StoreKind kind, string name) => _ = Try(() => Nothing(() => inner.Remove(kind, name)));

    public void Dispose() => inner.Dispose();

    bool IsThere(StoreKind kind, string name, ReadOnlyMemory<byte> content)
    {
        if (inner.SizeOf(kind, name) is not { } sizeBytes)
            return false;
        if (sizeBytes == content.Length && inner.Read(kind, name).AsSpan().SequenceEqual(content.Span))
            return true;
        if (kind != StoreKind.Config)
            inner.Remove(kind, name); // half of it
        return false;
    }

    static bool Nothing(Action act)
    {
        act();
        return true;
    }

    T Try<T>(Func<T> act)
    {
        Attempts attempts = new(this);
        while (true)
        {
            try
            {
                return act();
            }
            catch (RepositoryException exception) when (attempts.MayGoOn(exception))
            {
                attempts.Wait(exception);
            }
        }
    }

    sealed class Attempts(RetryingStore store)
    {
        readonly long _start = Stopwatch.GetTimestamp();
        int _waitMs = store._firstWaitMs;
        int _count;

        public bool MayGoOn(RepositoryException exception) =>
            exception.Error == RepositoryError.Unreachable
            && !store._cancel.IsCancellationRequested
            && Stopwatch.GetElapsedTime(_start) < store._limit;

        public void Wait(RepositoryException exception)
        {
            if (++_count == ToldAfter && Interlocked.Exchange(ref store._isTold, 1) == 0)
                store._tell?.Invoke(
                    $"{exception.Message}; it is tried again for "
                        + $"{store._limit.TotalMinutes.ToString("0.#", CultureInfo.InvariantCulture)} min"
                );
            store.Requests?.Retry();
            _ = store._cancel.WaitHandle.WaitOne(RandomNumberGenerator.GetInt32(_waitMs / 2, _waitMs));
            _waitMs = Math.Min(_waitMs * 2, LongestWaitMs);
        }
    }
}
