// What the kernel returns for a file command, as a result of the port.
// Source: errno(3), fallocate(2), ioctl(2) for block devices of old; Linux io_uring/io-wq.c, io_worker_cancel_cb.
using FastBackup.Base;

namespace FastBackup.Ports.Linux;

public static class KernelResult
{
    /// <param name="value">A count, or a negative error number.</param>
    public static FileResult ToFileResult(long value)
    {
        if (value >= 0)
            return FileResult.Done((ulong)value);
        int errno = (int)-value;
        return new FileResult(OutcomeOf(errno), 0, Errnos.ToFault(errno));
    }

    static FileOutcome OutcomeOf(int errno) =>
        errno switch
        {
            // ECANCELED: nobody cancels a command here. The ring gives up what it has for its worker threads when it
            // cannot make the first of them just then, as under signals: nothing of it was begun.
            Errnos.EINTR or Errnos.EAGAIN or Errnos.ECANCELED => FileOutcome.Again,
            Errnos.EOPNOTSUPP or Errnos.ENOSYS or Errnos.ENOTTY => FileOutcome.Refused,
            // EINVAL may be the alignment of the range; EBUSY is a block device with dirty pages in it, for a reader
            // that has it open as well.
            Errnos.EINVAL or Errnos.EBUSY => FileOutcome.RefusedHere,
            _ => FileOutcome.Failed,
        };
}
