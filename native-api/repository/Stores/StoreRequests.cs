// How often a store was asked for what: what a cloud's bill counts.
using System.Threading;

namespace FastBackup.Repositories;

/// <summary>Threads: any.</summary>
sealed class StoreRequests
{
    long _putCount;
    long _getCount;
    long _listCount;
    long _deleteCount;
    long _retryCount;
    long _sentBytes;
    long _receivedBytes;

    public long PutCount => Interlocked.Read(ref _putCount);

    /// <summary>Looks at what is there count, too.</summary>
    public long GetCount => Interlocked.Read(ref _getCount);

    public long ListCount => Interlocked.Read(ref _listCount);

    public long DeleteCount => Interlocked.Read(ref _deleteCount);

    /// <summary>Operations that were tried again.</summary>
    public long RetryCount => Interlocked.Read(ref _retryCount);

    /// <summary>Of contents, without what goes round them.</summary>
    public long SentBytes => Interlocked.Read(ref _sentBytes);

    public long ReceivedBytes => Interlocked.Read(ref _receivedBytes);

    public void Put(long bytes)
    {
        _ = Interlocked.Increment(ref _putCount);
        _ = Interlocked.Add(ref _sentBytes, bytes);
    }

    public void Get() => Interlocked.Increment(ref _getCount);

    public void Receive(long bytes) => Interlocked.Add(ref _receivedBytes, bytes);

    public void List() => Interlocked.Increment(ref _listCount);

    public void Delete() => Interlocked.Increment(ref _deleteCount);

    public void Retry() => Interlocked.Increment(ref _retryCount);
}
