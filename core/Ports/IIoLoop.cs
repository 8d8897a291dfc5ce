// What devices and the engine need from the loop that drives them: a port, a clock, a later turn, a timer.
using FastBackup.Base;

namespace FastBackup.Ports;

/// <summary>Something the loop calls back: deferred work, a timer, an item from another thread.</summary>
public interface ILoopTask
{
    /// <param name="argument">As given when it was asked for.</param>
    void Run(ulong argument);

    /// <summary>Called instead of Run for what was posted, once a failed invariant has stopped the loop.</summary>
    void Abandon(ulong argument) { }
}

/// <summary>Something that lives on a loop and must not be left hanging when a bug stops it.</summary>
public interface ILoopMember
{
    /// <summary>
    /// On the loop's thread, after it has stopped: no device answers any more. Lets waiting guests go, and says to
    /// its users that it has ended. Must not throw.
    /// </summary>
    void OnLoopFailed();
}

/// <summary>Threads: the loop's, except TryPost.</summary>
public interface IIoLoop
{
    IClock Clock { get; }

    IFileIo FileIo { get; }

    /// <summary>Streams on this loop; made when they are asked for first, and closed with the loop.</summary>
    /// <returns>None; NoMemory; Unsupported: a loop that was given none.</returns>
    Fault TryGetStreams(out IStreamIo? streams);

    /// <summary>A bug has stopped the loop: what is in flight will never be delivered.</summary>
    bool HasFailed { get; }

    /// <summary>The caller is the loop's own thread: guests wait for it. Threads: any.</summary>
    bool MustNotWait => false;

    /// <summary>Tells the member if a bug stops the loop; at once if it has.</summary>
    void Join(ILoopMember member);

    void Leave(ILoopMember member);

    /// <summary>Told of everything that happens behind the fast path; null when nobody listens.</summary>
    ITraceSink? Trace { get; }

    /// <summary>Runs the task once in the next turn, before the loop may sleep.</summary>
    /// <remarks>Bounded: a task that is waiting to run must not be deferred again with the same purpose.</remarks>
    void Defer(ILoopTask task, ulong argument);

    /// <summary>Runs the task once at the end of this turn, or of the next when none is under way.</summary>
    /// <remarks>It keeps nobody from sleeping, so it must not ask for anything more. Bounded as the other.</remarks>
    void AtTurnEnd(ILoopTask task, ulong argument);

    /// <summary>
    /// Runs the task once in the turn after the port has delivered something: a full port may have room then.
    /// </summary>
    void DeferUntilRoom(ILoopTask task, ulong argument);

    /// <summary>Runs the task once, at or soon after the time. Cost: O(log timers).</summary>
    /// <returns>A key for <see cref="CancelTimer"/>, never 0.</returns>
    ulong StartTimer(ulong deadlineNs, ILoopTask task, ulong argument);

    /// <summary>The task will not run any more; a key that has run or was cancelled is ignored.</summary>
    void CancelTimer(ulong timerKey);

    /// <summary>Runs the task once on the loop's thread. Threads: any. Wait-free for one poster.</summary>
    /// <returns>False when the inbox is full; nothing was posted.</returns>
    bool TryPost(ILoopTask task, ulong argument);

    /// <summary>Runs the task of a standing post once on the loop's thread, with 0. Threads: any; no wait.</summary>
    void Post(StandingPost post);
}
