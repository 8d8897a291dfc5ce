// What the README tells a stranger, on machines of the stranger's: one with the .NET SDK and nothing else, on which an
// ordinary user runs the demo and the quick tests and makes the packages; one with neither, on which a package is
// installed and a running VM is backed up. Each is timed. What the commands miss they must ask for by a line that
// helps.
//
// Half an hour, so only with FASTBACKUP_PACKAGES=full, as PackageTests; with FASTBACKUP_PACKAGES=FOLDER the packages
// are taken from there, which leaves ten minutes.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed partial class CleanMachineTests(ITestOutputHelper output) : IDisposable
{
    const string Full = "full";
    const string Person = "person";
    const string Tree = "/srv/fastbackup";
    const string Release = "native-api/packaging/release";
    const string Sdk = "/usr/share/dotnet";

    // Source: what Microsoft's own packages of the SDK ask for on Debian.
    const string AskedBySdk = "ca-certificates tzdata libstdc++6 zlib1g '^libicu[0-9]+$' '^libssl3(t64)?$'";

    static readonly TimeSpan s_limit = TimeSpan.FromMinutes(40);
    static readonly string s_asked = Environment.GetEnvironmentVariable(PackageTests.Variable) ?? "";

    readonly TempFolder _folder = new();
    readonly List<string> _times = [];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Tree_WorksForAStranger()
    {
        AskWhetherMeant();
        Requires.Command("git");
        DebianMachine bare = DebianMachine.Make(_folder["bare"]);
        DebianMachine developer = AddSdk(bare.CopyTo(_folder["developer"]));
        string[] lines = Lines("dotnet run -c Release --project native-api/cli -- demo");
        Assert.Contains("image equals T0", Time(lines[0], () => OfPerson(developer, lines[0])));
        Assert.Matches(@"\n[1-9]\d* passed, 0 failed", Time(lines[1], () => OfPerson(developer, lines[1])));
        if (s_asked == Full)
            BackUpVm(bare, MakePackages(developer));
        Say();
    }

    [Fact]
    public void Package_BacksUpAVm()
    {
        AskWhetherMeant();
        if (s_asked == Full)
            Assert.Skip("the other test makes the packages and does this with them");
        BackUpVm(DebianMachine.Make(_folder["bare"]), s_asked);
        Say();
    }

    static void AskWhetherMeant()
    {
        if (s_asked.Length == 0)
            Assert.Skip($"up to half an hour: {PackageTests.Variable}={Full} asks for it");
        DebianMachine.Ask();
    }

    void Say()
    {
        output.WriteLine(string.Join('\n', _times));
        Console.WriteLine(string.Join('\n', _times));
    }

    /// <summary>The SDK as it is here, and the tree's own files, in the home folder of an ordinary user.</summary>
    static DebianMachine AddSdk(DebianMachine machine)
    {
        machine = machine with { Seen = new() { [Sdk] = Path.GetDirectoryName(Environment.ProcessPath)! } };
        machine.Run("apt-get install -y --no-install-recommends " + AskedBySdk);
        // The authorities that this machine trusts: there may be one between it and the world.
        const string trusted = "/etc/ssl/certs/ca-certificates.crt";
        if (File.Exists(trusted))
            File.Copy(trusted, machine[trusted], overwrite: true);
        machine.Run($"ln -s {Sdk}/dotnet /usr/bin/dotnet && useradd -m {Person} && mkdir {Tree}");
        string files = $"git -C '{Repository.Root}' ls-files -z --cached --others --exclude-standard";
        string take = $"tar -C '{Repository.Root}' --null -T - -cf - | tar -C '{machine[Tree]}' --no-same-owner -xf -";
        Tool.Run("sh", "-c", $"{files} | {take}");
        machine.Run($"chown -R {Person}: {Tree}");
        return machine;
    }

    /// <summary>First it says what it misses; then that is installed by just this line.</summary>
    /// <returns>The folder with what it has made.</returns>
    string MakePackages(DebianMachine machine)
    {
        string line = Lines(Release)[0];
        ProgramResult asks = machine.Start($"cd {Tree} && {line}", Person, s_limit);
        Assert.Equal(1, asks.ExitCode);
        string installs = MissingPattern().Match(asks.Error).Groups[1].Value;
        machine.Run(installs.Replace("apt install", "apt-get install -y --no-install-recommends"));
        Time(line, () => OfPerson(machine, line));
        return machine[Tree + "/native-api/packaging/bin"];
    }

    /// <summary>Nothing but the package and QEMU; the guest writes before, while and after it is backed up.</summary>
    void BackUpVm(DebianMachine host, string packages)
    {
        string install = Lines(Release)[1];
        string package = Directory.GetFiles(packages, "fastbackup_*.deb").Single();
        string place = Path.Combine(host["root"], Path.GetDirectoryName(install.Split("./")[1])!);
        File.Copy(package, Path.Combine(Directory.CreateDirectory(place).FullName, Path.GetFileName(package)));
        File.WriteAllText(host["etc/apt/apt.conf.d/90yes"], "APT::Get::Assume-Yes \"true\";\n");
        Time(install, () => host.Run("cd /root && " + install));

        host.Run("apt-get install --no-install-recommends qemu-system-x86 > /dev/null");
        byte[] before = WritingGuest.MakeDisk();
        File.WriteAllBytes(host["root/vm.raw"], before);
        string[] lines = Lines("fastbackup serve disk=vm.raw");
        string machine = "-m 64 -display none -daemonize -pidfile qemu.pid";
        string script = $$"""
            cd /root
            mkdir /backup
            {{lines[0]}}
            until [ -S backup.sock ]; do sleep 0.1; done
            {{lines[1].Replace("...", machine, StringComparison.Ordinal)}}
            written() { od -An -v -tu4 -j $(($1 * 512)) -N 4 vm.raw | tr -d ' '; }
            until [ $(written {{WritingGuest.First + 100}}) = {{WritingGuest.First + 100}} ]; do sleep 0.1; done
            begin=$(date +%s%N)
            {{lines[2]}}
            echo $((($(date +%s%N) - begin) / 1000000)) > took
            sleep 0.5
            kill $(cat qemu.pid)
            while [ -e qemu.pid ]; do sleep 0.1; done
            """;
        Time("all of a VM's backup, from the server's start to the guest's end", () => host.Run(script, s_limit));
        long tookMs = long.Parse(File.ReadAllText(host["root/took"]), CultureInfo.InvariantCulture);
        Note(lines[2], TimeSpan.FromMilliseconds(tookMs));

        uint copied = WritingGuest.CountOf(File.ReadAllBytes(host["backup/vm.raw"]), before);
        uint written = WritingGuest.CountOf(File.ReadAllBytes(host["root/vm.raw"]), before);
        Assert.InRange(copied, 101u, written - 1);
    }

    static string OfPerson(DebianMachine machine, string line) =>
        machine.Start($"cd {Tree} && {line}", Person, s_limit).Expect(0).Output;

    string Time(string what, Func<string> run)
    {
        long begin = Stopwatch.GetTimestamp();
        string said = run();
        Note(what, Stopwatch.GetElapsedTime(begin));
        return said;
    }

    void Note(string what, TimeSpan took) =>
        _times.Add(string.Create(CultureInfo.InvariantCulture, $"{took.TotalSeconds, 8:0.0} s  {what}"));

    static string[] Lines(string begin) =>
        CommandBlock
            .Read("README.md")
            .Single(block => block.Text.StartsWith(begin, StringComparison.Ordinal))
            .Script.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    [GeneratedRegex("^missing here: (apt install .+)$", RegexOptions.Multiline)]
    private static partial Regex MissingPattern();
}
