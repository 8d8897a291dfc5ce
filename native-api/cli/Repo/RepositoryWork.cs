// One piece of work with a repository: opens it, shows how far the work has come while another thread does it, hears
// signals, and makes of whatever went wrong one sentence, an exit code and the last JSON object.
using System;
using System.Diagnostics;
using System.Threading;
using FastBackup.Repositories;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class RepositoryWork(RepositoryPlace place, Output output, Interruption interruption) : IDisposable
{
    const int LookMs = 200;

    readonly CancellationTokenSource _cancel = new();
    RegisteredWaitHandle? _registered;
    RepositoryLock? _lock;
    int _warned;

    /// <summary>Set when a signal has come.</summary>
    public CancellationToken Cancel
    {
        get
        {
            _registered ??= ThreadPool.RegisterWaitForSingleObject(
                interruption.Event,
                (_, _) => _cancel.Cancel(),
                null,
                Timeout.Infinite,
                executeOnlyOnce: true
            );
            return _cancel.Token;
        }
    }

    public OpenedRepository? Repository { get; private set; }

    public Output Output => output;

    public RepositoryLock? Lock => _lock;

    /// <summary>Opens it by its password, once.</summary>
    public OpenedRepository Open()
    {
        if (Repository != null)
            return Repository;
        string password = ReadPassword();
        return Repository = OpenedRepository.Open(StoreAddress.Open(place.Address, output.Warning, Cancel), password);
    }

    string ReadPassword() => PasswordSource.Read(place.PasswordFile, place.PasswordCommand, "--password-file");

    /// <summary>Makes one.</summary>
    public OpenedRepository Create()
    {
        string password = ReadPassword();
        return Repository = OpenedRepository.Create(StoreAddress.Open(place.Address, output.Warning, Cancel), password);
    }

    /// <summary>The lock that this work needs; one that it had before is given back.</summary>
    public RepositoryLock TakeLock(bool isExclusive)
    {
        _lock?.Dispose();
        return _lock = RepositoryLock.Take(Repository!, isExclusive);
    }

    /// <summary>For work that only reads: a store that takes no lock is read without.</summary>
    public void TryTakeLock()
    {
        try
        {
            _ = TakeLock(isExclusive: false);
        }
        catch (RepositoryException exception) when (exception.Error == RepositoryError.Forbidden)
        {
            output.Warning($"no lock could be written, so somebody may remove what is read: {exception.Message}");
        }
    }

    /// <summary>Says what the repository has found damaged since the last time.</summary>
    public void Warn()
    {
        for (; Repository != null && _warned < Repository.Warnings.Count; _warned++)
            output.Doubt(Repository.Warnings[_warned]);
    }

    /// <summary>Carries out work on a thread of its own, and shows it.</summary>
    /// <exception cref="RepositoryException">As the work threw it.</exception>
    public void Show(string title, ulong totalBytes, Func<WorkProgress> look, Action work)
    {
        Exception? failure = null;
        using ManualResetEvent ended = new(false);
        Thread thread = new(() =>
        {
            try
            {
                work();
            }
#pragma warning disable CA1031 // thrown again below, on the thread that waits
            catch (Exception exception)
#pragma warning restore CA1031
            {
                failure = exception;
            }
            ended.Set();
        })
        {
            Name = "fb-work",
            IsBackground = true,
        };
        IProgressView view = output.CreateView();
        view.Run(
            title,
            totalBytes,
            show =>
            {
                thread.Start();
                int waitMs = view.IntervalMs == Timeout.Infinite ? Timeout.Infinite : Math.Max(LookMs, view.IntervalMs);
                while (!ended.WaitOne(waitMs))
                    show(look());
                if (failure == null && view.IntervalMs != Timeout.Infinite)
                    show(look());
            }
        );
        if (failure is OperationCanceledException)
            throw new RepositoryException(RepositoryError.Canceled, "interrupted", failure);
        if (failure is RepositoryException known)
            throw new RepositoryException(known.Error, known.Message, known);
        if (failure != null)
            throw new InvalidOperationException(failure.Message, failure);
    }

    /// <summary>Runs a whole command.</summary>
    /// <param name="done">Its last JSON object, as far as nothing is known.</param>
    /// <param name="act">Fills it.</param>
    /// <returns>The exit code.</returns>
    public int Run(RepositoryDoneEvent done, Func<RepositoryDoneEvent, RepositoryDoneEvent> act)
    {
        done = RunPart(done, act);
        output.Event(done, JsonEvents.Readable.RepositoryDoneEvent);
        return done.ExitCode;
    }

    /// <summary>The same, as a part of a larger one: errors are said, the last object is only returned.</summary>
    public RepositoryDoneEvent RunPart(RepositoryDoneEvent done, Func<RepositoryDoneEvent, RepositoryDoneEvent> act)
    {
        RunStatus status = RunStatus.Done;
        long start = Stopwatch.GetTimestamp();
        try
        {
            done = act(done);
            if (done.Status.Length > 0) // it has said so itself
                status = RunStatus.Failed;
        }
        catch (RepositoryException exception)
        {
            status =
                exception.Error == RepositoryError.Canceled ? RunStatus.Interrupted
                : exception.Error == RepositoryError.Refused ? RunStatus.Refused
                : RunStatus.Failed;
            output.Error(exception.Message);
            done = done with { Error = ErrorWord(exception.Error) };
        }
        catch (OperationCanceledException)
        {
            status = RunStatus.Interrupted;
            output.Error("interrupted");
        }
        return done with
        {
            Status = status.Word(),
            ExitCode = status.ExitCode(),
            Repository = place.Address,
            Requests = Repository?.Store.Requests is { } counts
                ? new RequestCounts(
                    counts.PutCount,
                    counts.GetCount,
                    counts.ListCount,
                    counts.DeleteCount,
                    counts.RetryCount,
                    counts.SentBytes,
                    counts.ReceivedBytes
                )
                : null,
            Seconds = Math.Round(Stopwatch.GetElapsedTime(start).TotalSeconds, 6),
        };
    }

    public void Dispose()
    {
        _lock?.Dispose();
        Repository?.Dispose();
        _ = _registered?.Unregister(null);
        _cancel.Dispose();
    }

    static string ErrorWord(RepositoryError error) =>
        error switch
        {
            RepositoryError.NotFound => "not-found",
            RepositoryError.WrongPassword => "wrong-password",
            RepositoryError.NoSpace => "no-space",
#pragma warning disable CA1308 // a word of ours, for programs
            _ => error.ToString().ToLowerInvariant(),
#pragma warning restore CA1308
        };
}
