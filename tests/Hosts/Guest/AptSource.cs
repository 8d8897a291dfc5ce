// The package manager, asked for packages that it is not to install. Needs no privileges: where the system's lists
// are missing or know nothing, it fetches lists of its own into a folder of ours.
// Source: apt-get(8), apt.conf(5).
using System;
using System.IO;
using System.Linq;
using System.Threading;
using FastBackup.Bench.Peers;
using FastBackup.Tests.Hosts.Machine;

namespace FastBackup.Tests.Hosts.Guest;

/// <summary>Threads: one. Every failure is a <see cref="PeerException"/>.</summary>
sealed class AptSource
{
    static readonly TimeSpan RunLimit = TimeSpan.FromSeconds(150);

    readonly string _folder;
    readonly CancellationToken _cancel;
    string[] _options = [];

    AptSource(string folder, CancellationToken cancel) => (_folder, _cancel) = (folder, cancel);

    /// <param name="folder">Takes downloads, and lists where they are needed.</param>
    /// <param name="package">A package that the lists must know.</param>
    /// <param name="cancel">Ends every wait.</param>
    public static AptSource Open(string folder, string package, CancellationToken cancel)
    {
        AptSource apt = new(folder, cancel);
        if (!apt.Knows(package))
            apt.FetchLists();
        return apt;
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
        return Directory.GetFiles(_folder, package + "_*.deb").Single();
    }

    bool Knows(string package)
    {
        try
        {
            return Run("apt-cache", "depends", package).Contains("Depends: ", StringComparison.Ordinal);
        }
        catch (PeerException)
        {
            return false;
        }
    }

    void FetchLists()
    {
        string lists = Directory.CreateDirectory(Path.Combine(_folder, "lists", "partial")).Parent!.FullName;
        string cache = Directory.CreateDirectory(Path.Combine(_folder, "cache", "archives", "partial")).FullName;
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

    string Run(string program, params string[] arguments)
    {
        string[] line = ["-c", "cd \"$0\" && exec \"$@\"", _folder, program, .. _options, .. arguments];
        using PeerProcess process = PeerProcess.Start("sh", line);
        process.Wait(RunLimit, _cancel);
        return process.Output;
    }
}
