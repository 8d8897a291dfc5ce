// What processes have used so far: CPU, minor faults, peak memory, as the kernel counts them.
//
//   Self       getrusage(RUSAGE_SELF): microseconds; all threads, those of the kernel's io_uring workers too
//   Children   getrusage(RUSAGE_CHILDREN): everything that was waited for, with what it waited for itself
//   Of(pid)    /proc/PID/stat of a process that runs: CPU in ticks of 10 ms, faults exactly
//
// Not counted anywhere: interrupts and kernel workqueues, which belong to no process.
// Source: getrusage(2), proc_pid_stat(5), proc_pid_status(5).
using System;
using System.Globalization;
using System.IO;
using System.Runtime.InteropServices;

namespace FastBackup.Tests.Processes;

/// <param name="UserSeconds">CPU in user mode.</param>
/// <param name="SystemSeconds">CPU in the kernel.</param>
/// <param name="MinorFaultCount">Page faults that needed no disk.</param>
public readonly partial record struct ProcessUse(double UserSeconds, double SystemSeconds, long MinorFaultCount)
{
    const int SelfWho = 0;
    const int ChildrenWho = -1;

    // USER_HZ, the unit of /proc/PID/stat: 100 on every architecture that .NET runs on.
    const double TicksPerSecond = 100;

    public double CpuSeconds => UserSeconds + SystemSeconds;

    /// <summary>Allocates nothing after its first call.</summary>
    public static ProcessUse Self() => Read(SelfWho);

    /// <summary>Children that have ended and were waited for.</summary>
    public static ProcessUse Children() => Read(ChildrenWho);

    /// <summary>A process that runs.</summary>
    public static ProcessUse Of(int processId)
    {
        string line = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/stat"));
        // The name, in brackets, may hold blanks and brackets itself: the fields start behind the last one.
        string[] fields = line[(line.LastIndexOf(')') + 2)..].Split(' ');
        double Field(int number) => double.Parse(fields[number - 3], CultureInfo.InvariantCulture);
        return new ProcessUse(Field(14) / TicksPerSecond, Field(15) / TicksPerSecond, (long)Field(10));
    }

    /// <summary>Peak resident memory of a process that runs (VmHWM); 0 when it has ended.</summary>
    /// <param name="processId">A number, or "self".</param>
    public static ulong PeakResidentBytes(string processId)
    {
        const string name = "VmHWM:";
        string path = $"/proc/{processId}/status";
        try
        {
            foreach (string line in File.ReadLines(path))
                if (line.StartsWith(name, StringComparison.Ordinal))
                    return ulong.Parse(line[name.Length..^2].Trim(), CultureInfo.InvariantCulture) * 1024;
        }
        catch (IOException)
        {
            return 0;
        }
        return 0;
    }

    public static ProcessUse operator -(ProcessUse end, ProcessUse start) =>
        new(
            end.UserSeconds - start.UserSeconds,
            end.SystemSeconds - start.SystemSeconds,
            end.MinorFaultCount - start.MinorFaultCount
        );

    /// <summary>For a difference of two processes, which noise can make negative.</summary>
    public ProcessUse AtLeastZero() =>
        new(Math.Max(0, UserSeconds), Math.Max(0, SystemSeconds), Math.Max(0, MinorFaultCount));

    static unsafe ProcessUse Read(int who)
    {
        RUsage use = default;
        // SAFETY: the kernel fills the structure, which has the size of its own, during the call only.
        _ = GetRUsage(who, &use); // fails for an unknown who only
        return new ProcessUse(use.UserTime, use.SystemTime, use.MinorFaults);
    }

    /// <summary>struct rusage on 64-bit Linux; only the members used here have names.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 144)]
    struct RUsage
    {
        [FieldOffset(0)]
        long _userSeconds;

        [FieldOffset(8)]
        long _userMicroseconds;

        [FieldOffset(16)]
        long _systemSeconds;

        [FieldOffset(24)]
        long _systemMicroseconds;

        [FieldOffset(64)]
        public long MinorFaults;

        public readonly double UserTime => _userSeconds + _userMicroseconds / 1e6;

        public readonly double SystemTime => _systemSeconds + _systemMicroseconds / 1e6;
    }

    [LibraryImport("libc", EntryPoint = "getrusage", SetLastError = true)]
    private static unsafe partial int GetRUsage(int who, RUsage* use);
}
