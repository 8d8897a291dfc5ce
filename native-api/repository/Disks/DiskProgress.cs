// How far a piece of work on a disk has come. Counted by many threads, read by any.
using System.Threading;

namespace FastBackup.Repositories;

/// <summary>Threads: any.</summary>
sealed class DiskProgress(ulong totalBytes)
{
    ulong _doneBytes;
    ulong _readBytes;
    ulong _zeroBytes;
    ulong _sameBytes;

    public ulong TotalBytes => totalBytes;

    /// <summary>Of the disk, however.</summary>
    public ulong DoneBytes => Volatile.Read(ref _doneBytes);

    /// <summary>Of them, read from the disk or fetched from the repository.</summary>
    public ulong ReadBytes => Volatile.Read(ref _readBytes);

    /// <summary>Of them, holes and zeroes.</summary>
    public ulong ZeroBytes => Volatile.Read(ref _zeroBytes);

    /// <summary>Of them, taken from the parent, or right already.</summary>
    public ulong SameBytes => Volatile.Read(ref _sameBytes);

    public void AddRead(ulong bytes) => Count(ref _readBytes, bytes);

    public void AddHole(ulong bytes) => Count(ref _zeroBytes, bytes);

    public void AddSame(ulong bytes) => Count(ref _sameBytes, bytes);

    /// <summary>Of what was read.</summary>
    public void AddZero(ulong bytes) => _ = Interlocked.Add(ref _zeroBytes, bytes);

    void Count(ref ulong part, ulong bytes)
    {
        _ = Interlocked.Add(ref part, bytes);
        _ = Interlocked.Add(ref _doneBytes, bytes);
    }
}
