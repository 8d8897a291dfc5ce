// fastbackup: the engine for people. Parses, runs one command, and turns its end into an exit code.
using System;
using System.Runtime.Versioning;

[assembly: SupportedOSPlatform("linux")]

namespace FastBackup.Cli;

static class Program
{
    static int Main(string[] arguments)
    {
        try
        {
            return CommandTree.Run(arguments);
        }
#pragma warning disable CA1031 // the last boundary: a bug becomes one sentence and an exit code, not a crash dump
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Console.Error.WriteLine($"fastbackup: internal error: {exception}");
            return ExitCode.Failed;
        }
    }
}
