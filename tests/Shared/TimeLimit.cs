// How long a test may wait in all. Whatever waits inside it gives up then, and with the test run.
using System;
using System.Threading;
using Xunit;

namespace FastBackup.Tests;

public sealed class TimeLimit : IDisposable
{
    readonly CancellationTokenSource _source = CancellationTokenSource.CreateLinkedTokenSource(
        TestContext.Current.CancellationToken
    );

    public TimeLimit(int seconds) => _source.CancelAfter(TimeSpan.FromSeconds(seconds));

    public CancellationToken Cancel => _source.Token;

    public void Dispose() => _source.Dispose();
}
