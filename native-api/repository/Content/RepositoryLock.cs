// A lock of a repository. Whoever only adds or reads has one that others may share; who removes has one alone. It is a
// file that is made anew every five minutes: one of half an hour is nobody's any more, nor is one of a process of this
// machine that has ended. Such are taken away.
//
// First the own lock is written, then the others' are looked at: of two that must not be together one at least sees
// the other. Who has lost its lock, or could not keep it fresh (a machine that slept, a store that was away), must not
// write a snapshot any more: others may have removed what that would need. Ensure says so.
// Source: restic's doc/design.rst, Locks.
using System;
using System.Collections.Generic;
using System.IO;
using System.Text.Json;
using System.Threading;

namespace FastBackup.Repositories;

/// <summary>Threads: any.</summary>
sealed class RepositoryLock : IDisposable
{
    static readonly TimeSpan s_refresh = TimeSpan.FromMinutes(5);
    static readonly TimeSpan s_stale = TimeSpan.FromMinutes(30);

    /// <summary>Well before others may take it away.</summary>
    static readonly TimeSpan s_trusted = TimeSpan.FromMinutes(20);

    readonly OpenedRepository _repository;
    readonly bool _isExclusive;
    readonly Func<DateTime> _now;
    readonly Timer _timer;
    readonly Lock _one = new();
    string _name;
    DateTime _time;
    bool _isDisposed;

    RepositoryLock(OpenedRepository repository, bool isExclusive, Func<DateTime> now)
    {
        (_repository, _isExclusive, _now) = (repository, isExclusive, now);
        _name = Write();
        _timer = new Timer(_ => Refresh(), null, s_refresh, s_refresh);
    }

    /// <param name="repository">Whose.</param>
    /// <param name="isExclusive">Nobody else may have one.</param>
    /// <param name="now">The time; null: the machine's.</param>
    /// <exception cref="RepositoryException">Locked: somebody has one that does not go with this one.</exception>
    public static RepositoryLock Take(OpenedRepository repository, bool isExclusive, Func<DateTime>? now = null)
    {
        RepositoryLock mine = new(repository, isExclusive, now ?? (() => DateTime.UtcNow));
        try
        {
            foreach ((string name, LockDocument document, DateTime time) in mine.Others())
            {
                if (mine.IsStale(document, time))
                    repository.Store.Remove(StoreKind.Lock, name);
                else if (isExclusive || document.IsExclusive)
                    throw Locked(repository, document, time, mine._now() - time);
            }
            return mine;
        }
        catch
        {
            mine.Dispose();
            throw;
        }
    }

    /// <summary>Nobody can have removed what was there: the lock is there, and fresh.</summary>
    public void Ensure()
    {
        lock (_one)
            if (IsFresh && _repository.Store.SizeOf(StoreKind.Lock, _name) != null)
                return;
        throw new RepositoryException(
            RepositoryError.Locked,
            $"the lock in repository '{_repository.Store.Name}' was lost or grew old meanwhile, so others may have "
                + "removed what this needs; nothing was finished, run again"
        );
    }

    /// <summary>It was made a short while ago: nobody has taken it away for its age.</summary>
    public bool IsFresh => _now() - _time < s_trusted;

    public void Dispose()
    {
        _timer.Dispose();
        lock (_one)
        {
            if (_isDisposed)
                return;
            _isDisposed = true;
            try
            {
                _repository.Store.Remove(StoreKind.Lock, _name);
            }
            catch (RepositoryException)
            {
                return; // it grows old by itself
            }
        }
    }

    static RepositoryException Locked(OpenedRepository repository, LockDocument lockOf, DateTime time, TimeSpan age) =>
        new(
            RepositoryError.Locked,
            $"repository '{repository.Store.Name}' is locked{(lockOf.IsExclusive ? " exclusively" : "")} by "
                + $"{lockOf.Username} on {lockOf.Hostname} (process {lockOf.ProcessId}) since "
                + $"{RepositoryTime.Format(time)}, {(int)Math.Max(0, age.TotalMinutes)} min ago; wait for its end, "
                + "or remove a lock that nobody holds with 'restic unlock'"
        );

    bool IsStale(LockDocument document, DateTime time)
    {
        if (_now() - time > s_stale)
            return true;
        bool isHere = document.Hostname == Environment.MachineName && document.ProcessId > 0;
        return isHere && Directory.Exists("/proc/self") && !Directory.Exists($"/proc/{document.ProcessId}");
    }

    IEnumerable<(string Name, LockDocument Document, DateTime Time)> Others()
    {
        foreach (StoredFile file in _repository.Store.List(StoreKind.Lock))
        {
            if (file.Name == _name)
                continue;
            LockDocument? document = null;
            try
            {
                byte[] json = _repository.LoadFile(StoreKind.Lock, file.Name);
                document = JsonSerializer.Deserialize(json, Documents.Default.LockDocument);
            }
            catch (Exception exception) when (exception is JsonException || IsNoLock(exception))
            {
                continue; // gone meanwhile, or cut short by whoever was killed: nobody could hold it
            }
            if (document != null && RepositoryTime.TryParse(document.Time, out DateTime time))
                yield return (file.Name, document, time);
        }
    }

    static bool IsNoLock(Exception exception) =>
        exception is RepositoryException { Error: RepositoryError.NotFound or RepositoryError.Damaged };

    string Write()
    {
        DateTime now = _now();
        LockDocument document = new(
            RepositoryTime.Format(now),
            _isExclusive,
            Environment.MachineName,
            Environment.UserName,
            Environment.ProcessId
        );
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(document, Documents.Readable.LockDocument);
        string name = _repository.SaveFile(StoreKind.Lock, json).ToString();
        _time = now;
        return name;
    }

    /// <summary>The new one is there before the old one goes. One that others have taken away stays away.</summary>
    public void Refresh()
    {
        lock (_one)
        {
            if (_isDisposed)
                return;
            try
            {
                if (_repository.Store.SizeOf(StoreKind.Lock, _name) == null)
                    return;
                string old = _name;
                _name = Write();
                _repository.Store.Remove(StoreKind.Lock, old);
            }
            catch (RepositoryException)
            {
                return; // in five minutes again; Ensure knows how old it is
            }
        }
    }
}
