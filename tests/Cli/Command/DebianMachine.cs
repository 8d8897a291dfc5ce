// A Debian of its own in a folder, made by mmdebstrap from the mirrors that this machine has: the base system with apt
// and nothing else. Lines of the shell run there in a process tree of their own, which ends with the line.
// No machine of its own: kernel, network and devices are this one's.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using FastBackup.Tests.Processes;

namespace FastBackup.Tests.Cli.Command;

/// <summary>Threads: one.</summary>
/// <param name="Root">The folder that is its root.</param>
sealed record DebianMachine(string Root)
{
    static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);

    /// <summary>Name of the release that runs here, or null: no Debian.</summary>
    public static string? CodeName { get; } = FindCodeName();

    /// <summary>Folders of this machine that it sees too, by their paths in there; all read-only.</summary>
    public Dictionary<string, string> Seen { get; init; } = [];

    public string this[string path] => Root + "/" + path;

    /// <summary>What is needed to have one; else the test is left out.</summary>
    public static void Ask()
    {
        Requires.Root();
        foreach (string needed in new[] { "mmdebstrap", "unshare" })
            Requires.Command(needed);
        Requires.That(CodeName != null, "needs Debian, to make another one");
    }

    /// <param name="root">Must not be there.</param>
    public static DebianMachine Make(string root)
    {
        string[] options = ["--variant=apt", "--skip=cleanup/apt", "--aptopt=Acquire::Retries \"3\""];
        Expect(s_limit, "mmdebstrap", [.. options, CodeName!, root]);
        return new DebianMachine(root);
    }

    /// <summary>Another that is as this one is now.</summary>
    public DebianMachine CopyTo(string root)
    {
        Expect(s_limit, "cp", "-a", "--reflink=auto", Root, root);
        return new DebianMachine(root);
    }

    /// <summary>A line of bash, by root, which must succeed.</summary>
    /// <returns>What it wrote to its standard output.</returns>
    public string Run(string line) => Run(line, s_limit);

    /// <inheritdoc cref="Run(string)"/>
    public string Run(string line, TimeSpan limit) => Start(line, "0", limit).Expect(0).Output;

    /// <summary>A line of bash by a user: nothing of this process's environment is seen.</summary>
    public ProgramResult Start(string line, string user, TimeSpan limit)
    {
        const string script = """
            machine=$1 user=$2 line=$3
            shift 3
            mount --bind /dev "$machine/dev"
            mount -t tmpfs tmpfs "$machine/dev/shm"
            mount -t sysfs sysfs "$machine/sys"
            while [ $# -gt 0 ]; do
              mkdir -p "$machine$1"
              mount --bind "$2" "$machine$1"
              mount -o remount,bind,ro "$machine$1"
              shift 2
            done
            home=$(chroot "$machine" getent passwd "$user" | cut -d: -f6)
            exec env -i HOME="$home" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
              LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
              chroot --userspec="$user:$user" "$machine" bash -ec "$line"
            """;
        string[] own = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc=" + Root + "/proc"];
        string[] seen = [.. Seen.SelectMany(pair => new[] { pair.Key, pair.Value })];
        using RunningProgram running = new(
            "",
            "unshare",
            [.. own, "sh", "-ec", script, "sh", Root, user, line, .. seen]
        );
        return running.Wait(limit);
    }

    static void Expect(TimeSpan limit, string program, params string[] arguments)
    {
        using RunningProgram running = new("", program, arguments);
        _ = running.Wait(limit).Expect(0);
    }

    static string? FindCodeName()
    {
        string[] lines = File.Exists("/etc/os-release") ? File.ReadAllLines("/etc/os-release") : [];
        return lines.Contains("ID=debian")
            ? lines.FirstOrDefault(line => line.StartsWith("VERSION_CODENAME=", StringComparison.Ordinal))?[17..]
            : null;
    }
}
