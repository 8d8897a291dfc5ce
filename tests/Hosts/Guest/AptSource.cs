// The package manager, asked for packages that it is not to install. It needs no privileges,
// for it can go by lists of its own in a folder of ours.
// Source: apt-get(8), apt.conf(5).
using System;
using System.IO;
using System.Linq;
using System.Threading;
using FastBackup.Tests.Processes;

namespace FastBackup.Tests.Hosts.Guest;

/// <summary>Threads: one. Every failure is a <see cref="PeerException"/>.</summary>
/// <param name="folder">Takes downloads, and lists where they are needed.</param>
/// <param name="cancel">Ends every wait.</param>
sealed class AptSource(string folder, CancellationToken cancel)
{
    static readonly TimeSpan RunLimit = TimeSpan.FromSeconds(150);

    string[] _options = [];

    /// <summary>
    /// From now on it goes by new lists of its own, for a system whose lists are missing or older than the mirror.
    /// </summary>
    public void FetchLists()
    {
        string lists = Directory.CreateDirectory(Path.Combine(folder, "lists", "partial")).Parent!.FullName;
        string cache = Directory.CreateDirectory(Path.Combine(folder, "cache", "archives", "partial")).FullName;
        string cacheRoot = Path.GetDirectoryName(Path.GetDirectoryName(cache))!;
        _options =
        [
            "-o",
            "Dir::State::lists=" + lists,
            "-o",
            "Dir::Cache=" + cacheRoot,
            "-o",
            "Debug::NoLocking=1",
            "-o",
            "APT::Sandbox::User=", // another user could not write into our folder
        ];
        Run("apt-get", "-q", "update");
    }

    /// <summary>What a package without content of its own stands for.</summary>
    public string FirstDependency(string package) =>
        Run("apt-cache", "depends", package)
            .Split('\n')
            .Select(line => line.Trim())
            .FirstOrDefault(line => line.StartsWith("Depends: ", StringComparison.Ordinal))
            ?.Split(' ')[1]
        ?? throw new PeerException($"apt knows nothing that {package} depends on");

    /// <returns>The package's file.</returns>
    public string Download(string package)
    {
        Run("apt-get", "-q", "download", package);
        return Directory.GetFiles(folder, package + "_*.deb").Single();
    }

    string Run(string program, params string[] arguments)
    {
        string[] line = ["-c", "cd \"$0\" && exec \"$@\"", folder, program, .. _options, .. arguments];
        using RunningProgram process = RunningProgram.Start("sh", line);
        process.WaitForSuccess(RunLimit, cancel);
        return process.Output;
    }
}
