// The formatter, at the version that .config/dotnet-tools.json pins.
using System;
using System.Threading;
using System.Threading.Tasks;
using FastBackup.Tests;

namespace FastBackup.Dev;

static class FormatCommand
{
    static readonly TimeSpan TimeLimit = TimeSpan.FromMinutes(5);

    /// <summary>The verb 'format': rewrites the files.</summary>
    public static async Task<int> RunAsync(CancellationToken cancel)
    {
        ChildResult restored = await RunDotnetAsync(["tool", "restore"], Console.WriteLine, cancel);
        if (!restored.IsSuccess)
            return 1;
        ChildResult result = await RunDotnetAsync(["csharpier", "format", "."], Console.WriteLine, cancel);
        return result.IsSuccess ? 0 : 1;
    }

    /// <summary>The check within 'test': changes nothing.</summary>
    public static async Task<ChildResult> CheckAsync(Action<string> onLine, CancellationToken cancel)
    {
        ChildResult restored = await RunDotnetAsync(["tool", "restore"], onLine, cancel);
        return restored.IsSuccess ? await RunDotnetAsync(["csharpier", "check", "."], onLine, cancel) : restored;
    }

    static Task<ChildResult> RunDotnetAsync(string[] arguments, Action<string> onLine, CancellationToken cancel) =>
        ChildProcess.RunAsync(ChildProcess.Dotnet, arguments, [], TimeLimit, onLine, cancel);
}
