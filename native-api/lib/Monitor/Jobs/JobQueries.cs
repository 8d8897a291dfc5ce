// What jobs are there, and how they fare. Jobs of the C interface are among them.
using System;
using System.Collections.Generic;
using FastBackup.Jobs;
using FastBackup.Native.Errors;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Monitor.Json;
using FastBackup.Native.Objects;

namespace FastBackup.Native.Monitor.Jobs;

/// <summary>Threads: the monitor's.</summary>
sealed class JobQueries(MonitorTurns turns, CreationJobs creations)
{
    public CommandAnswer Jobs(CommandCall call) => Query(call, JobJson.Job, creations.ToJson());

    public CommandAnswer BlockJobs(CommandCall call) => Query(call, JobJson.BlockJob);

    public CommandAnswer Statistics(CommandCall call) => Query(call, JobJson.Statistics);

    CommandAnswer Query(CommandCall call, Func<JobObject, JsonValue> describe, IEnumerable<JsonValue>? more = null)
    {
        if (call.Arguments.End() is { } error)
            return error;
        List<JobObject> jobs = [];
        Answer answer = turns.Run(() =>
        {
            foreach (Job job in turns.Engine.Jobs.Jobs)
                if (job.Listener is JobObject known)
                    jobs.Add(known);
            return Errors.Answer.Ok;
        });
        if (!answer.IsOk)
            return QmpError.Of(answer);
        jobs.Sort((a, b) => a.Number.CompareTo(b.Number));
        List<JsonValue> described = jobs.ConvertAll(job => describe(job));
        described.AddRange(more ?? []);
        return JsonValue.Of(described);
    }
}
