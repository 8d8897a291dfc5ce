// What jobs are there, and how they fare. Jobs of the C interface are among them.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Jobs;
using FastBackup.Native.Errors;
using FastBackup.Native.Jobs;
using FastBackup.Native.Monitor.Json;

namespace FastBackup.Native.Monitor.Commands;

static class JobQueries
{
    public static CommandAnswer Jobs(CommandCall call) => Query(call, JobJson.Job);

    public static CommandAnswer BlockJobs(CommandCall call) => Query(call, JobJson.BlockJob);

    public static CommandAnswer Statistics(CommandCall call) => Query(call, JobJson.Statistics);

    static CommandAnswer Query(CommandCall call, Func<JobObject, JsonValue> describe)
    {
        if (call.Arguments.End() is { } error)
            return error;
        List<JobObject> jobs = [];
        Answer answer = call.Engine.Run(
            call.Monitor,
            () =>
            {
                foreach (Job job in call.Engine.Jobs.Jobs)
                    if (job.Listener is JobObject known)
                        jobs.Add(known);
                return Errors.Answer.Ok;
            }
        );
        if (!answer.IsOk)
            return QmpError.Of(answer);
        jobs.Sort((a, b) => a.Number.CompareTo(b.Number));
        return JsonValue.Of(jobs.ConvertAll(job => describe(job)));
    }
}
