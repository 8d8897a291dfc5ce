// The name of a thread as the system's tools show it. The runtime gives its threads their names by itself only where
// code is compiled just in time; ahead of time it does not.
// Source: prctl(2), PR_SET_NAME.
using System.Runtime.InteropServices;

namespace FastBackup.Interop.Linux;

public static partial class ThreadName
{
    const int PR_SET_NAME = 15;

    [LibraryImport("libc", EntryPoint = "prctl", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Prctl(int option, string name, nuint third, nuint fourth, nuint fifth);

    /// <summary>Names the calling thread.</summary>
    /// <param name="name">Cut at 15 bytes by the kernel.</param>
    public static void Set(string name) => _ = Prctl(PR_SET_NAME, name, 0, 0, 0);
}
