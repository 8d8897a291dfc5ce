// The same random traces on several hosts: each must keep the disk as it was at the point in time, whatever guests do,
// and lose nothing of what they do; and all must end with the same two images. Where one fails alone it is wrong, where
// all fail the test is. A failure names its seed; FASTBACKUP_SEED runs it alone.
using System;
using System.Collections.Generic;
using System.IO;
using System.Net.Sockets;
using FastBackup.Tests.Hosts.Served;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Hosts.Traces;

public sealed class TraceTests
{
    const ulong TraceCount = 240;
    const int TimeLimitSeconds = 240;

    [Fact]
    public void RandomTraces_GiveTheSameImagesOnEveryHost()
    {
        using TimeLimit limit = new(TimeLimitSeconds);
        using TempFolder folder = new();
        Dictionary<(string Engine, int SizeBytes), TraceHost> hosts = [];
        try
        {
            TestSeed.ForEach(TraceCount, RunOne);
        }
        finally
        {
            foreach (TraceHost host in hosts.Values)
                host.Dispose();
        }

        void RunOne(ulong seed)
        {
            Trace trace = Trace.Make(seed);
            TraceResult? expected = null;
            foreach (string engine in HostEngines.Compared)
            {
                TraceResult result = Run(engine, trace);
                expected ??= result;
                result.AssertEquals(expected);
            }
        }

        TraceResult Run(string engine, Trace trace)
        {
            if (!hosts.TryGetValue((engine, trace.SizeBytes), out TraceHost? host))
            {
                host = new(trace.SizeBytes, folder, path => HostEngines.Serve(engine, path, folder, limit.Cancel));
                hosts.Add((engine, trace.SizeBytes), host);
            }
            try
            {
                return host.Run(trace);
            }
            catch (Exception failure)
                when (failure is TraceMismatchException or PeerException or IOException or SocketException)
            {
                throw new TraceMismatchException($"{engine}, {trace.Describe()}: {failure.Message}");
            }
        }
    }
}
