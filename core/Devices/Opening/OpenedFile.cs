// A file, block device or volume that was opened as a disk, and what it was found to be; one class a system. The rules
// that follow are the same for all (DeviceOpener).
using FastBackup.Base;
using FastBackup.Ports.Linux;

namespace FastBackup.Devices.Opening;

/// <summary>Threads: any, one at a time.</summary>
/// <param name="path">For people.</param>
/// <param name="fd">Closed by Close.</param>
abstract class OpenedFile(string path, int fd)
{
    public string Path => path;

    public int Fd => fd;

    /// <summary>Closed with it.</summary>
    public DirectIo Direct { get; set; } = DirectIo.None;

    /// <summary>False: its name is its maker's affair (TryAdopt), and tells by itself whether it is whole.</summary>
    public bool IsNamed { get; protected init; } = true;

    /// <summary>A block device, volume or drive.</summary>
    public abstract bool IsBlockDevice { get; }

    /// <summary>Of a regular file.</summary>
    public abstract ulong FileBytes { get; }

    /// <summary>Of memory for direct transfers; 0: no more than their offsets.</summary>
    public abstract uint MemoryAlignBytes { get; }

    /// <summary>A call may wait where it is made, so that it needs a thread of its own.</summary>
    public abstract bool MayBlock { get; }

    /// <summary>Direct transfers copy memory, too.</summary>
    public abstract bool IsInMemory { get; }

    /// <summary>Tells others what this opening does, and asks them.</summary>
    /// <returns>How it is used, to follow on "is"; null: not, or nobody may know.</returns>
    public abstract string? FindUse(FileOpenOptions options);

    /// <summary>Of a disk that exists.</summary>
    /// <param name="isReadOnly">How it was opened.</param>
    /// <param name="capacityBytes">What can be addressed.</param>
    /// <returns>None, or why it is not to be used so.</returns>
    public abstract OpenRefusal TryGetSize(bool isReadOnly, out ulong capacityBytes);

    /// <summary>Gives a new file its size.</summary>
    public virtual Fault TryGiveSize(ulong sizeBytes) =>
        NameCalls.Kernel.Resize(Fd, sizeBytes) is < 0 and var result ? Errnos.ToFault(-result) : Fault.None;

    /// <summary>The same file past the system's cache; None where that cannot be.</summary>
    /// <returns>The descriptor belongs to the caller.</returns>
    public abstract DirectIo OpenDirect(bool isReadOnly, ulong capacityBytes);

    /// <summary>A read that waits.</summary>
    /// <param name="fd">Of this file, or of its direct one.</param>
    /// <param name="buffer">The caller's, aligned as the descriptor wants it.</param>
    /// <param name="lengthBytes">Of it.</param>
    /// <param name="offsetBytes">In the file.</param>
    /// <returns>Bytes, or below 0.</returns>
    public abstract long Read(int fd, nint buffer, uint lengthBytes, ulong offsetBytes);

    /// <summary>It stays: from now on the descriptor is all there is to give back.</summary>
    public abstract void Keep();

    /// <summary>Closes it; a new file goes away again.</summary>
    public abstract void Abandon();

    public abstract void Close();

    /// <summary>The end of an opening: the file, or nothing of it.</summary>
    /// <param name="opened">Abandoned where there is a refusal.</param>
    /// <param name="refusal">None, or what was found to be wrong.</param>
    /// <param name="file">Null when refused.</param>
    /// <returns>The refusal.</returns>
    protected static OpenRefusal Conclude(OpenedFile opened, in OpenRefusal refusal, out OpenedFile? file)
    {
        file = refusal.IsNone ? opened : null;
        if (!refusal.IsNone)
            opened.Abandon();
        return refusal;
    }
}
