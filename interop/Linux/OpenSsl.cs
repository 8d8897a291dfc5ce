// Whether OpenSSL is on this machine. The runtime takes digests, chance and TLS from it, looks for it at their first
// use and, where it is not there, ends the process; so whoever is about to need one of them asks here first.
// Source: the runtime, src/native/libs/System.Security.Cryptography.Native/opensslshim.c: the names that it tries.
using System;
using System.Runtime.InteropServices;

namespace FastBackup.Interop.Linux;

/// <summary>Threads: any.</summary>
public static class OpenSsl
{
    static readonly string[] s_names = ["libssl.so.3", "libssl.so.1.1", "libssl.so.1.0.2", "libssl.so.1.0.0"];

    static readonly Lazy<bool> s_isThere = new(Look);

    /// <summary>True on a system that has digests of its own, too. Loads it at the first call: a millisecond.</summary>
    public static bool IsThere => s_isThere.Value;

    /// <summary>It stays loaded, as it does once the runtime has used it.</summary>
    static bool Look()
    {
        if (!OperatingSystem.IsLinux())
            return true;
        foreach (string name in s_names)
            if (NativeLibrary.TryLoad(name, out _))
                return true;
        return false;
    }
}
