// The mark of a file that a job writes to (UnfinishedMark). From Begin on the first write waits until the mark is
// durable, and others wait with it; a flush that seals takes it away. Both are calls for a thread, as the walk of a Map
// is, so the loop never waits for them; a guest's write that needs a copy goes on when its old data is in memory.
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Devices;

/// <summary>Whose writes wait.</summary>
interface IMarkedWrites
{
    /// <summary>The write goes on, or fails with the result.</summary>
    void OnMarked(ulong key, in FileResult result);

    /// <summary>After all that waited.</summary>
    void OnMarkSettled();
}

/// <summary>Threads: the loop's.</summary>
/// <param name="loop">Whose port makes the calls.</param>
/// <param name="file">What is marked.</param>
/// <param name="writesMax">That can wait at once.</param>
/// <param name="owner">Whose they are.</param>
sealed class ImageMark(IIoLoop loop, FileHandle file, uint writesMax, IMarkedWrites owner) : IFileIoOwner, ILoopTask
{
    enum State
    {
        /// <summary>Nobody makes an image here.</summary>
        Unwanted,

        /// <summary>Before the next write.</summary>
        Due,
        Putting,
        On,
    }

    readonly BoundedQueue<ulong> _waiting = new(writesMax);
    State _state;
    ulong _imageSerial;

    /// <summary>A call is under way.</summary>
    public bool IsPutting => _state == State.Putting;

    public void Begin(ulong bitmapSerial)
    {
        if (!IsPutting)
            (_imageSerial, _state) = (bitmapSerial, State.Due);
    }

    public void End()
    {
        if (!IsPutting)
            _state = State.Unwanted;
    }

    /// <summary>Whether a write has to wait; then its owner is told.</summary>
    public bool MustWait(ulong key)
    {
        if (_state is State.Unwanted or State.On)
            return false;
        _waiting.Enqueue(key);
        if (_state == State.Due)
            Push();
        return true;
    }

    public void BuildUnmark(ref FileCommand command)
    {
        command.Operation = FileOperation.Unmark;
        command.File = file;
        command.OffsetBytes = _imageSerial;
    }

    /// <summary>The mark is gone.</summary>
    public void OnUnmarked()
    {
        if (_state == State.On)
            _state = State.Due; // should anything be written yet
    }

    void ILoopTask.Run(ulong argument) => Push();

    void IFileIoOwner.OnFileCompleted(ulong tag, in FileResult result)
    {
        _state = result.IsDone ? State.On : State.Due;
        for (uint count = _waiting.Count; count > 0 && _waiting.TryDequeue(out ulong key); count--)
            owner.OnMarked(key, result);
        owner.OnMarkSettled();
    }

    void Push()
    {
        FileCommand command = default;
        command.Operation = FileOperation.Mark;
        command.Owner = this;
        command.File = file;
        command.OffsetBytes = _imageSerial;
        _state = State.Putting;
        if (loop.FileIo.TryPush(command))
            return;
        _state = State.Due;
        loop.DeferUntilRoom(this, 0);
    }
}
