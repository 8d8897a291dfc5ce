// One job for each width that the bitmap's kernels have: the switches take widths away from the just-in-time compiler.
// In this very process (--inProcess) nothing can be taken away, and there is one job only.
using System;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;

namespace FastBackup.Bench.Micro.Bitmaps;

[AttributeUsage(AttributeTargets.Class)]
sealed class WidthsAttribute : Attribute, IConfigSource
{
    public IConfig Config { get; } = Create();

    static ManualConfig Create()
    {
        ManualConfig config = ManualConfig.CreateEmpty();
        if (Array.IndexOf(Environment.GetCommandLineArgs(), "--inProcess") >= 0)
            return config;
        return config
            .AddJob(Job.Default.WithId("widest"))
            .AddJob(Job.Default.WithEnvironmentVariable("DOTNET_EnableAVX512", "0").WithId("no AVX-512"))
            .AddJob(Job.Default.WithEnvironmentVariable("DOTNET_EnableAVX2", "0").WithId("scalar"));
    }
}
