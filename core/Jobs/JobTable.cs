// The jobs of one engine by their ids, for people and programs that name them. An id is unique while its job lives:
// from its creation until it is dismissed, by itself or by hand.
using System.Collections.Generic;
using System.Globalization;
using FastBackup.Base;
using FastBackup.Devices.Opening;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's.</summary>
public sealed class JobTable
{
    readonly Dictionary<string, Job> _jobs = [];
    readonly List<string> _dismissed = [];

    /// <summary>Jobs that live, in no order.</summary>
    public IReadOnlyCollection<Job> Jobs
    {
        get
        {
            ForgetDismissed();
            return _jobs.Values;
        }
    }

    /// <summary>Takes a job in.</summary>
    /// <returns>None, or State and a sentence when another job of this id lives.</returns>
    public OpenRefusal TryAdd(Job job)
    {
        ForgetDismissed();
        if (_jobs.TryAdd(job.Id, job))
            return default;
        string sentence = string.Create(CultureInfo.InvariantCulture, $"a job with the id '{job.Id}' exists already");
        return new OpenRefusal(new Fault(FaultKind.State), sentence);
    }

    /// <summary>The job of an id, or null.</summary>
    public Job? Find(string id)
    {
        ForgetDismissed();
        return _jobs.GetValueOrDefault(id);
    }

    void ForgetDismissed()
    {
        foreach ((string id, Job job) in _jobs)
            if (job.Status == JobStatus.Null)
                _dismissed.Add(id);
        foreach (string id in _dismissed)
            _jobs.Remove(id);
        _dismissed.Clear();
    }
}
