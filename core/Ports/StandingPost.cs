// A place in a loop's inbox that one task keeps for good: its posts never find the inbox full, so that whoever makes
// one never waits. For threads of a host's, which may hold what the loop's thread wants: one that waited for room
// there would wait for ever.
using System.Threading;

namespace FastBackup.Ports;

/// <summary>Threads: any may post it, the loop takes it.</summary>
public sealed class StandingPost(ILoopTask task)
{
    int _isPosted;

    public ILoopTask Task => task;

    /// <summary>Of the loop, while it is posted.</summary>
    internal StandingPost? Next { get; set; }

    /// <summary>True for the one who posts it; the others' posts are this one.</summary>
    internal bool TryBegin() => Interlocked.Exchange(ref _isPosted, 1) == 0;

    /// <summary>Before the task runs: what comes now is a post of its own. A full fence.</summary>
    internal void End() => Interlocked.Exchange(ref _isPosted, 0);
}
