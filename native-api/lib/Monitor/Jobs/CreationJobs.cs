// The jobs that make files and images, beside those of the engine.
using System.Collections.Generic;
using System.Linq;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Monitor.Json;

namespace FastBackup.Native.Monitor.Jobs;

/// <summary>Threads: the monitor's.</summary>
sealed class CreationJobs(MonitorInbox inbox)
{
    public const int Max = 64;

    readonly List<CreationJob> _jobs = [];

    public IEnumerable<JsonValue> ToJson() => _jobs.Select(job => job.ToJson());

    public bool IsFull => _jobs.Count >= Max;

    public bool Has(string id) => _jobs.Exists(job => job.Id == id);

    public CreationJob Add(string id)
    {
        CreationJob job = new(id, inbox);
        _jobs.Add(job);
        job.Begin();
        return job;
    }

    /// <summary>Answers a verb.</summary>
    /// <param name="id">Of a job that is here.</param>
    /// <param name="verb">As QMP writes it.</param>
    public CommandAnswer Tell(string id, string verb)
    {
        CreationJob job = _jobs.Find(one => one.Id == id)!;
        if (verb != "dismiss" || !job.IsOver)
            return QmpError.Generic($"Job '{id}' in state '{job.Status}' cannot accept command verb '{verb}'");
        _ = _jobs.Remove(job);
        job.Dismiss();
        return CommandAnswer.Done;
    }
}
