// What of this process is in memory now. Source: proc_pid_statm(5).
using System;
using System.Globalization;
using System.IO;

namespace FastBackup.Bench.Growth;

static class ResidentMemory
{
    public static ulong Bytes()
    {
        string pages = File.ReadAllText("/proc/self/statm").Split(' ')[1];
        return ulong.Parse(pages, CultureInfo.InvariantCulture) * (ulong)Environment.SystemPageSize;
    }
}
