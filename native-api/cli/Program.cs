// fastbackup: the engine for people. Parses, runs one command, and turns its end into an exit code.
using System;
using System.Runtime.Versioning;

[assembly: SupportedOSPlatform("linux")]

namespace FastBackup.Cli;

static class Program
{
    static int Main(string[] arguments)
    {
        using PatientWriter output = new(Console.Out);
        using PatientWriter error = new(Console.Error);
        Console.SetOut(output);
        Console.SetError(error);
        int exitCode;
        try
        {
            exitCode = CommandTree.Run(arguments);
        }
#pragma warning disable CA1031 // the last boundary: a bug becomes one sentence and an exit code, not a crash dump
        catch (Exception exception)
#pragma warning restore CA1031
        {
            error.WriteLine($"fastbackup: internal error: {exception}");
            return ExitCode.Failed;
        }
        if (output.Failure == null)
            return exitCode;
        error.WriteLine($"fastbackup: the work ended with exit code {exitCode}, but stdout failed: {output.Failure}");
        return exitCode == ExitCode.Done ? ExitCode.Failed : exitCode;
    }
}
