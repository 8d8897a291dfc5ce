// What the last call that failed left, per thread. Setting it stores a reference; words are made only when the host
// asks.
using System;
using FastBackup.Base;

namespace FastBackup.Native.Errors;

/// <summary>Threads: any, each its own.</summary>
static class LastError
{
    [ThreadStatic]
    static Answer s_last;

    /// <summary>Default when nothing has failed yet.</summary>
    public static Answer Last => s_last;

    /// <summary>Leaves an error for fb_last_error; a success leaves alone what was there.</summary>
    /// <returns>The status.</returns>
    public static int Tell(this in Answer answer)
    {
        if (answer.Status < 0)
            s_last = answer;
        return answer.Status;
    }

    /// <summary>For the I/O path: no text is made.</summary>
    /// <returns>The status.</returns>
    public static int Set(int status, string text, ulong offsetBytes = Fault.NoOffset)
    {
        s_last = new Answer(status, new Fault(FaultKind.None, 0, offsetBytes), text);
        return status;
    }
}
