// Some threads that do the same, until their work is through or one of them fails: then all end, and whoever waits is
// told what the first one said.
using System;
using System.Threading;

namespace FastBackup.Repositories;

/// <summary>Threads: one; the work: its own.</summary>
sealed class Workers : IDisposable
{
    readonly CancellationTokenSource _stop;
    readonly CancellationToken _outer;
    readonly Thread[] _threads;
    Exception? _failure;
    bool _isDisposed;

    /// <param name="count">Of threads.</param>
    /// <param name="work">Ends soon when the token says so.</param>
    /// <param name="cancel">Ends all.</param>
    public Workers(int count, Action<CancellationToken> work, CancellationToken cancel)
    {
        _outer = cancel;
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        _threads = new Thread[count];
        for (int i = 0; i < count; i++)
        {
            _threads[i] = new Thread(() => Run(work)) { Name = "fb-points", IsBackground = true };
            _threads[i].Start();
        }
    }

    /// <summary>As many as the machine has processors, within reason.</summary>
    public static int CountUsual => Math.Clamp(Environment.ProcessorCount, 2, 32);

    /// <summary>Set when one has failed, or all are to end.</summary>
    public CancellationToken Stop => _stop.Token;

    /// <summary>Waits for their end.</summary>
    /// <exception cref="RepositoryException">What one of them threw, or Canceled.</exception>
    public void Join()
    {
        foreach (Thread thread in _threads)
            thread.Join();
        ThrowIfFailed();
    }

    public void ThrowIfFailed()
    {
        if (Volatile.Read(ref _failure) is RepositoryException known)
            throw new RepositoryException(known.Error, known.Message, known);
        if (_failure != null)
            throw new InvalidOperationException(_failure.Message, _failure);
        if (_outer.IsCancellationRequested)
            throw new RepositoryException(RepositoryError.Canceled, "interrupted");
    }

    public void Cancel() => _stop.Cancel();

    public void Dispose()
    {
        if (_isDisposed)
            return;
        _stop.Cancel();
        foreach (Thread thread in _threads)
            thread.Join();
        _stop.Dispose();
        _isDisposed = true;
    }

    void Run(Action<CancellationToken> work)
    {
        try
        {
            work(_stop.Token);
        }
        catch (OperationCanceledException)
        {
            return;
        }
#pragma warning disable CA1031 // whatever it was: it is thrown where somebody waits
        catch (Exception exception)
#pragma warning restore CA1031
        {
            _ = Interlocked.CompareExchange(ref _failure, exception, null);
            _stop.Cancel();
        }
    }
}
