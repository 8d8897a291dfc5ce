// What a handle names. The object knows its own id, so that looking a handle up is one read of one reference: there is
// no moment in which an id and an object that do not belong together can be seen.
// Objects are the garbage collector's, and so is the memory of bitmaps: a call that found an object in time may use
// it to its end, whoever closes the handle meanwhile.
using System;
using System.Threading;

namespace FastBackup.Native.Handles;

/// <summary>Threads: any.</summary>
abstract class AbiObject
{
    int _isClosed;

    /// <summary>The handle; 0 before it is given out.</summary>
    public ulong Id { get; internal set; }

    public bool IsClosed => Volatile.Read(ref _isClosed) != 0;

    /// <summary>True for the one caller that closes.</summary>
    public bool TryClose() => Interlocked.Exchange(ref _isClosed, 1) == 0;

    /// <summary>A call about it has met a bug of ours: its engine, where it has one, goes no further.</summary>
    public virtual void StopEngine(Exception bug) { }
}

/// <summary>Ties a class of objects to its kind, as a constant of the compiler.</summary>
interface IHandleKind
{
    static abstract HandleKind Kind { get; }

    /// <summary>For errors: "engine", "queue" ...</summary>
    static abstract string Noun { get; }
}
