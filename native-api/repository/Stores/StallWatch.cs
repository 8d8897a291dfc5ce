// Ends a request to a server that has stopped to answer: not after a time for all of it, which a slow line may need,
// but when for a while no byte has gone either way. A line that is cut says nothing: whoever only waits for bytes
// waits for ever.
using System;
using System.Threading;

namespace FastBackup.Repositories;

/// <summary>Threads: any.</summary>
sealed class StallWatch : IDisposable
{
    /// <summary>A server may need its time for what it was given: a flush, a list of thousands.</summary>
    public static readonly TimeSpan Usual = TimeSpan.FromMinutes(2);

    readonly CancellationTokenSource _source;
    readonly TimeSpan _limit;

    /// <param name="limit">Without a byte.</param>
    /// <param name="cancel">Ends the request, too.</param>
    public StallWatch(TimeSpan limit, CancellationToken cancel)
    {
        _limit = limit;
        _source = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        _source.CancelAfter(limit);
    }

    /// <summary>Of the request.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>Something has gone.</summary>
    public void Progress() => _source.CancelAfter(_limit);

    public void Dispose() => _source.Dispose();
}
