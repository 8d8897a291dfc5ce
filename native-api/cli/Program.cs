// fastbackup: the engine for people. Parses, runs one command, and turns its end into an exit code.
using System;
using System.IO;
using System.Runtime.Versioning;
using FastBackup.Devices.Rbd;
using FastBackup.Ports;

[assembly: SupportedOSPlatform("linux")]
[assembly: SupportedOSPlatform("windows")]

namespace FastBackup.Cli;

static class Program
{
    static int Main(string[] arguments)
    {
        SystemPort.Current.BeginThread(null); // the threads that come inherit it
        ProcessStreams.FillClosed();
        using StandardStream output = ProcessStreams.Of(StandardStream.OutputFd);
        using StandardStream error = ProcessStreams.Of(StandardStream.ErrorFd);
        Console.SetOut(output);
        Console.SetError(error);
        int exitCode = Run(arguments, error);
        RbdDevice.AwaitClosed();
        if (output.Failure == null)
            return exitCode;
        error.WriteLine($"fastbackup: the work ended with exit code {exitCode}, but stdout failed: {output.Failure}");
        return exitCode == ExitCode.Done ? ExitCode.OfFailure(arguments) : exitCode;
    }

    /// <summary>What was thrown where a type was to be initialized says more than that it was there.</summary>
    static Exception Cause(Exception exception) =>
        exception is TypeInitializationException { InnerException: { } inner } ? Cause(inner) : exception;

    static int Run(string[] arguments, StandardStream error)
    {
        try
        {
            if (DescriptorLimit.Check() is not { } sentence)
                return CommandTree.Run(arguments);
            error.WriteLine("fastbackup: " + sentence);
        }
        catch (Exception exception) when (Cause(exception) is IOException or UnauthorizedAccessException)
        {
            error.WriteLine($"fastbackup: {Phrases.OneLine(Cause(exception).Message)}");
        }
        // What no default foresaw: the runtime takes its part of a limit, too.
        catch (Exception exception) when (Cause(exception) is OutOfMemoryException)
        {
            error.WriteLine(
                $"fastbackup: not enough memory for this process ({Phrases.OneLine(Cause(exception).Message)}); "
                    + "raise its limits (ulimit -v, memory cgroup) or give less with --memory"
            );
        }
#pragma warning disable CA1031 // the last boundary: a bug becomes one sentence and an exit code, not a crash dump
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Exception cause = Cause(exception);
            string kind = cause.GetType().Name;
            error.WriteLine($"fastbackup: internal error: {kind}: {Phrases.OneLine(cause.Message)}");
        }
        return ExitCode.OfFailure(arguments);
    }
}
