// One direction of a stream, or the accepting of a listener: the command that is under way, and its way back to the
// loop, by one post that is made once.
using FastBackup.Base;
using FastBackup.Ports;

namespace FastBackup.Native.Tls;

/// <summary>Threads: the loop's; Complete any.</summary>
sealed class TlsSide : ILoopTask
{
    readonly IIoLoop _loop;
    readonly StandingPost _post;
    StreamResult _result;

    public TlsSide(IIoLoop loop)
    {
        _loop = loop;
        _post = new StandingPost(this);
    }

    public StreamCommand Command { get; private set; }

    public BorrowedMemory Memory { get; } = new();

    public bool IsBusy { get; private set; }

    public void Begin(in StreamCommand command)
    {
        Check.That(!IsBusy);
        (Command, IsBusy) = (command, true);
    }

    /// <summary>Once for each command: its buffer is not touched any more.</summary>
    public void Complete(in StreamResult result)
    {
        _result = result;
        _loop.Post(_post);
    }

    void ILoopTask.Run(ulong argument)
    {
        (IStreamOwner owner, ulong tag) = (Command.Owner, Command.Tag);
        (Command, IsBusy) = (default, false);
        owner.OnStreamCompleted(tag, _result);
    }
}
