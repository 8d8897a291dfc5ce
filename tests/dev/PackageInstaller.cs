// Brings the programs that tests run, where that needs no question: as root, or with a sudo that asks for no
// password, on a system that has apt-get. Elsewhere nothing is changed and the tests say what they miss.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using FastBackup.Tests;
using FastBackup.Tests.Processes;

namespace FastBackup.Dev;

static class PackageInstaller
{
    static readonly TimeSpan TimeLimit = TimeSpan.FromMinutes(15);

    static readonly Dictionary<string, string> Environment = new() { ["DEBIAN_FRONTEND"] = "noninteractive" };

    /// <returns>The commands that are still missing, with their packages.</returns>
    public static async Task<(string Command, string Package)[]> RunAsync(bool isAllowed, CancellationToken cancel)
    {
        (string Command, string Package)[] missing = Commands.Missing();
        if (missing.Length == 0 || !isAllowed)
            return missing;
        string[]? prefix = await FindPrivilegeAsync(cancel);
        if (prefix is null || SystemPrograms.Find("apt-get") == null)
            return missing;

        string[] packages = [.. missing.Select(item => item.Package).Distinct()];
        Console.WriteLine("packages: installing " + string.Join(' ', packages));
        // A list that cannot be refreshed is no reason to give up: the packages may be known already.
        await RunAptAsync(prefix, ["update"], cancel);
        await RunAptAsync(prefix, ["install", "-y", "--no-install-recommends", .. packages], cancel);
        return Commands.Missing();
    }

    /// <returns>What to put before a command to run it as root: nothing, sudo, or null when neither works.</returns>
    static async Task<string[]?> FindPrivilegeAsync(CancellationToken cancel)
    {
        if (System.Environment.IsPrivilegedProcess)
            return [];
        if (SystemPrograms.Find("sudo") == null)
            return null;
        ChildResult asked = await ChildProcess.RunAsync("sudo", ["-n", "true"], [], TimeLimit, _ => { }, cancel);
        return asked.IsSuccess ? ["sudo", "-n", "--preserve-env=DEBIAN_FRONTEND"] : null;
    }

    static async Task RunAptAsync(string[] prefix, string[] arguments, CancellationToken cancel)
    {
        string[] line = [.. prefix, "apt-get", "-q", "-o", "DPkg::Lock::Timeout=300", .. arguments];
        List<string> output = [];
        ChildResult result = await ChildProcess.RunAsync(
            line[0],
            line[1..],
            Environment,
            TimeLimit,
            output.Add,
            cancel
        );
        if (result.IsSuccess)
            return;
        Console.WriteLine($"packages: apt-get {arguments[0]} failed ({result.Describe()})");
        foreach (string text in output.TakeLast(15))
            Console.WriteLine("    " + text);
    }
}
