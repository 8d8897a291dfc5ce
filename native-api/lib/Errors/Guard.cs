// The one place where exceptions end: every export catches all and comes here (a test reads the IL and proves it),
// because one that left an export would end the host process. Memory that cannot be had is an answer; anything else is
// a bug of ours, and stops the engine concerned: its gates open, guests go on, its snapshots are lost.
using System;
using FastBackup.Native.Handles;

namespace FastBackup.Native.Errors;

static class Guard
{
    /// <param name="exception">What was caught.</param>
    /// <param name="id">The handle that the call was about, or 0.</param>
    /// <returns>NoMemory or Bug.</returns>
    public static int Caught(Exception exception, ulong id)
    {
        try
        {
            if (exception is OutOfMemoryException) // also InsufficientMemoryException
                return LastError.Set(Status.NoMemory, "out of memory");
            HandleTable.Find(id)?.StopEngine(exception);
            return LastError.Set(Status.Bug, "an internal error: " + exception.Message);
        }
#pragma warning disable CA1031 // nothing may leave from here, whatever it is
        catch (Exception)
#pragma warning restore CA1031
        {
            return Status.Bug;
        }
    }

    /// <summary>For calls that answer a number or a text: nothing.</summary>
    /// <returns>0.</returns>
    public static uint CaughtNone(Exception exception)
    {
        _ = Caught(exception, 0);
        return 0;
    }
}
