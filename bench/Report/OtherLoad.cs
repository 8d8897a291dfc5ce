// How much of the processors others use, measured while this program sleeps. The load average would tell of what this
// program itself did a minute ago, its own compiler first. Source: proc_stat(5).
using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;

namespace FastBackup.Bench.Report;

static class OtherLoad
{
    const int LookMs = 2000;
    const int FirstBusy = 1; // user, nice, system, idle, iowait, irq, softirq, steal
    const int Idle = 4;
    const int Wait = 5;
    const int LastBusy = 8;

    /// <returns>Processors that were busy, or wanted by the host of a virtual one.</returns>
    public static double Measure()
    {
        (double busy, double all) before = Read();
        Thread.Sleep(LookMs);
        (double busy, double all) after = Read();
        double share = (after.busy - before.busy) / Math.Max(1, after.all - before.all);
        return share * Environment.ProcessorCount;
    }

    static (double Busy, double All) Read()
    {
        double[] fields =
        [
            .. File.ReadLines("/proc/stat")
                .First()
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .Skip(1)
                .Take(LastBusy)
                .Select(field => double.Parse(field, CultureInfo.InvariantCulture)),
        ];
        double all = fields.Sum();
        return (all - fields[Idle - FirstBusy] - fields[Wait - FirstBusy], all);
    }
}
