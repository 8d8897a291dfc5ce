// A backup that is only told: all that one does up to the first read, without a lock, a checkpoint or a byte written.
using System.Collections.Generic;
using System.Linq;
using FastBackup.Repositories;
using FastBackup.Runtime;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class PointTrial(PointTelling telling, RepositoryWork work)
{
    /// <param name="done">To be filled.</param>
    /// <param name="engine">Drives the disks.</param>
    /// <param name="sources">Begun, or failed and told.</param>
    public RepositoryDoneEvent Run(RepositoryDoneEvent done, Engine engine, PointSource[] sources)
    {
        List<DiskForecast> all = [];
        PointSource[] whole = [.. sources.Where(source => source.Failure == null)];
        foreach (PointSource source in whole)
        {
            DiskForecast forecast = DiskForecast.Of(engine, source.Device, source.Plan!, work.Cancel);
            telling.Tell(source, forecast);
            all.Add(forecast);
        }
        work.Output.Line("nothing was read or stored: this was a trial");
        bool isOne = sources.Length == 1;
        bool isWhole = whole.Length == sources.Length;
        return done with
        {
            Status = isWhole ? "" : RunStatus.Failed.Word(),
            Error = isWhole ? null : "disk",
            DryRun = true,
            Mode = isOne ? whole[0].Plan!.Mode : null,
            Reason = isOne ? whole[0].Plan!.FullReason : null,
            Bytes = all.Aggregate(0ul, (sum, one) => sum + one.TotalBytes),
            ReadBytes = all.Aggregate(0ul, (sum, one) => sum + one.ReadBytes),
            ZeroBytes = all.Aggregate(0ul, (sum, one) => sum + one.HoleBytes),
            SameBytes = all.Aggregate(0ul, (sum, one) => sum + one.SameBytes),
        };
    }
}
