// A repository in a folder of its own, our command and stock restic on it, by the same password. In memory where the
// system has such a folder, and with a password that costs nothing to try: some thousand of both are done here.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using FastBackup.Repositories;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Cli.Command;

sealed class RepositoryFolder : IDisposable
{
    public const string Password = "correct horse";

    const string Memory = "/dev/shm";
    const int Cost = 2;

    readonly string _path;

    /// <param name="address">As both programs are given it.</param>
    /// <param name="isInMemory">False: on the disk of other tests.</param>
    public RepositoryFolder(string address = "repo", bool isInMemory = true)
    {
        Address = address;
        _path =
            isInMemory && Directory.Exists(Memory)
                ? Directory
                    .CreateDirectory(System.IO.Path.Combine(Memory, "fb-" + System.IO.Path.GetRandomFileName()))
                    .FullName
                : Directory.CreateTempSubdirectory("fb-").FullName;
    }

    public string Address { get; }

    public string Path => _path;

    /// <summary>Of both programs, beside the password.</summary>
    public (string Name, string Value)[] Variables { get; init; } = [];

    public string this[string name] => System.IO.Path.Combine(_path, name);

    /// <summary>As 'repo init' makes it, but for the cost of trying the password.</summary>
    public void Init() => Init(new LocalStore(this["repo"]));

    /// <summary>The same, elsewhere.</summary>
    public static void Init(IStore store) => OpenedRepository.Create(store, Password, Cost).Dispose();

    public string[] Files(string kind) =>
        [.. Directory.GetFiles(this["repo/" + kind], "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];

    /// <summary>Our command, in the folder; REPO stands for the repository.</summary>
    public ProgramResult Fastbackup(string line) => Fastbackup([.. line.Split(' ')]);

    public ProgramResult Fastbackup(params string[] arguments)
    {
        using RunningProgram program = Start(arguments);
        return program.Wait();
    }

    public RunningProgram Start(params string[] arguments) =>
        new(
            Path,
            BuiltCommand.Words[0],
            [.. BuiltCommand.Words[1..], .. arguments.Select(one => one == "REPO" ? Address : one)],
            [("FASTBACKUP_PASSWORD", Password), ("NO_PROXY", "127.0.0.1"), .. Variables]
        );

    public ProgramResult Restic(string line)
    {
        Requires.Command("restic");
        string[] words = ["--no-cache", "-r", Address, .. line.Split(' ')];
        using RunningProgram program = new(Path, "restic", words, [("RESTIC_PASSWORD", Password), .. Variables]);
        return program.Wait();
    }

    /// <summary>Stock restic finds no error, reading everything.</summary>
    public void Check()
    {
        ProgramResult result = Restic("check --read-data").Expect(0);
        Assert.Contains("no errors were found", result.Output);
    }

    /// <summary>All points, oldest first.</summary>
    public string[] Points()
    {
        List<string> ids = [];
        foreach (
            var point in Fastbackup("repo list REPO --json")
                .Expect(0)
                .Events()[^1]
                .GetProperty("points")
                .EnumerateArray()
        )
            ids.Add(point.Text("id")!);
        return [.. ids];
    }

    /// <summary>By our command, byte by byte.</summary>
    public void AssertRestores(string point, string expected, string disk = "")
    {
        string target = "restored-" + Guid.NewGuid().ToString("N")[..8];
        string[] which = disk.Length == 0 ? [] : ["--disk", disk];
        _ = Fastbackup(["repo", "restore", "REPO", target, "--at", point, .. which, "--quiet"]).Expect(0);
        Storage.Disks.AssertEqual(this[expected], this[target]);
        File.Delete(this[target]);
    }

    public void Dispose() => Directory.Delete(_path, recursive: true);
}
