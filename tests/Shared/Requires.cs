// What a test needs from the machine. A test asks first; where the thing is missing the test is skipped with
// the reason, and under CI=true it fails, because there a missing thing means that nobody tests it.
using System;
using System.IO;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests;

public static class Requires
{
    /// <summary>A program that can be started by this name. tests/dev/Commands.cs names its package.</summary>
    public static void Command(string name) => That(FindCommand(name) is not null, $"needs the command {name}");

    /// <summary>Root: loop devices, mounts and block devices ask for it.</summary>
    public static void Root() => That(Environment.IsPrivilegedProcess, "needs root");

    /// <summary>A file or folder of the system, for example /dev/loop-control.</summary>
    public static void SystemPath(string path) => That(Path.Exists(path), $"needs {path}");

    /// <param name="isMet">Whether the test can run.</param>
    /// <param name="reason">What is missing, as a clause: "needs ...".</param>
    public static void That(bool isMet, string reason)
    {
        if (isMet)
            return;
        if (Environment.GetEnvironmentVariable("CI") == "true")
            Assert.Fail(reason + " (CI=true: a missing piece is a failure)");
        Assert.Skip(reason);
    }

    /// <returns>The program's full path, or null.</returns>
    public static string? FindCommand(string name) => SystemPrograms.Find(name);
}
