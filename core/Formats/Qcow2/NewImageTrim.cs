// Gives the file of a new image the length that the image has, on a thread that may wait for the file system.
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Ports;
using FastBackup.Ports.Linux;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's; RunOnCrew one of the crew's from Begin until onEnd. Used once.</summary>
sealed class NewImageTrim : ICrewWork, ILoopTask
{
    readonly IIoLoop _loop;
    readonly FileDevice _file;
    readonly ulong _endBytes;
    readonly System.Action _onEnd;
    readonly StandingPost _done;

    /// <param name="loop">Where it comes back.</param>
    /// <param name="file">Stays open until then.</param>
    /// <param name="endBytes">Its length.</param>
    /// <param name="onEnd">Told of the end, good or not: what lies behind the image is a hole, and no harm.</param>
    public NewImageTrim(IIoLoop loop, FileDevice file, ulong endBytes, System.Action onEnd)
    {
        (_loop, _file, _endBytes, _onEnd) = (loop, file, endBytes, onEnd);
        _done = new StandingPost(this);
    }

    public void Begin(WorkCrew crew) => crew.Push(this, _loop, _done);

    /// <summary>Blocks for as long as the file system does.</summary>
    public static Fault Trim(FileDevice file, ulong endBytes)
    {
        int result = NameCalls.Kernel.Resize(file.Fd, endBytes);
        return result < 0 ? Errnos.ToFault(-result) : Fault.None;
    }

    void ICrewWork.RunOnCrew() => Trim(_file, _endBytes);

    void ILoopTask.Run(ulong argument) => _onEnd();
}
