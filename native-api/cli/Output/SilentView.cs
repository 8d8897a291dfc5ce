// Shows nothing: --quiet.
using System;
using System.Threading;

namespace FastBackup.Cli;

sealed class SilentView : IProgressView
{
    public int IntervalMs => Timeout.Infinite;

    public void Run(string title, ulong totalBytes, Action<Action<WorkProgress>> work) => work(_ => { });
}
