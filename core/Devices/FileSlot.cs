// A request of a file device on its way: what was asked for, which kernel call it is at, and how far it has come.
using FastBackup.Ports;

namespace FastBackup.Devices;

enum FileStep
{
    /// <summary>Free, or waits for its turn at its pages: nothing of it is in flight.</summary>
    Idle,
    Transfer,

    /// <summary>A range is zeroed or given up as a whole.</summary>
    Clear,
    ZeroByWriting,
    Flush,
    Unmark,
    Map,
    Size,

    /// <summary>Nothing more to do: the result waits for the next turn.</summary>
    Finished,
}

/// <summary>Threads: the loop's.</summary>
sealed class FileSlot
{
    public BlockRequest Request;
    public FileStep Step;
    public ulong DoneBytes;
    public uint RetryCount;

    /// <summary>
    /// Times in a row that less than a sector came. A read then goes on through the page cache, where any count is
    /// progress: at the end of a file that was cut inside a sector it gets nothing, and says so.
    /// </summary>
    public uint StuckCount;

    /// <summary>What the command in flight asked for, to tell short from complete.</summary>
    public ulong AskedBytes;
    public FileOperation ClearOperation;
    public bool IsBuffered;

    /// <summary>A write that passes through the page cache, in part or whole.</summary>
    public bool IsPaged;

    /// <summary>The step to begin with when its pages are free.</summary>
    public FileStep NextStep;
    public BlockResult Result;

    public bool IsWrite => Request.Operation.IsWrite();

    public void Begin(in BlockRequest request)
    {
        (Request, Step, DoneBytes) = (request, FileStep.Idle, 0);
        (RetryCount, StuckCount) = (0, 0);
        (Result, IsPaged) = (default, false);
    }
}
