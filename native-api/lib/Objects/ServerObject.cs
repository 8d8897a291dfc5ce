// An NBD server as hosts hold it: where it listens, and what it shows.
using System.Threading;
using FastBackup.Native.Handles;
using FastBackup.Ports;

namespace FastBackup.Native.Objects;

/// <summary>Threads: as each member says.</summary>
/// <param name="engine">Whose disks it serves.</param>
/// <param name="place">Where it listens.</param>
sealed class ServerObject(EngineObject engine, ServerPlace place) : EngineChild(engine), IHandleKind, ILoopMember
{
    int _isClosing;

    public static HandleKind Kind => HandleKind.Server;

    public static string Noun => "server";

    /// <summary>The thread that opens or closes it.</summary>
    public ServerPlace Place => place;

    /// <summary>The reactor's thread.</summary>
    public DiskExports Exports { get; } = new(engine, _ => { });

    /// <summary>True for one at a time.</summary>
    public bool TryBeginClose() => Interlocked.Exchange(ref _isClosing, 1) == 0;

    public void EndClose() => Volatile.Write(ref _isClosing, 0);

    /// <summary>A bug has stopped the engine.</summary>
    void ILoopMember.OnLoopFailed() => Exports.GiveUp();
}
