// Images of Ceph, in a real cluster: copied from and to, holes and snapshots, locked, and a cluster that is away or
// stops in the middle, which holds no guest.
using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Nbd;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class RbdTests : IDisposable
{
    const int Mebi = 1 << 20;
    const long DiskBytes = 64L * Mebi;

    readonly TempFolder _folder = new();
    readonly ObjectStore _ceph;

    public RbdTests()
    {
        Requires.Command("rbd");
        _ceph = new ObjectStore();
        Disks.Sparse(_folder["disk.img"], DiskBytes, (0, 5_000), (9 * Mebi, 3_000_000), ((int)DiskBytes - 700, 700));
        _ = _ceph.Rbd("create", "rbd/one", "--size", "64");
    }

    public void Dispose()
    {
        _ceph.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Disk_ToAnImage_AndBack_IsTheSame_WithItsHoles()
    {
        Run("backup", "disk.img", Name("one")).Expect(1).ExpectSentence($"'{Name("one")}'", "--force");
        Run("backup", "disk.img", Name("one"), "--force").Expect(0);
        Assert.InRange(DataBytes("rbd/one"), 3_000_000, 4 * 4 * Mebi); // in objects of 4 MiB
        _ = _ceph.Rbd("export", "rbd/one", _folder["exported.img"]);
        Disks.AssertEqual(_folder["disk.img"], _folder["exported.img"]);
        Run("backup", Name("one"), "back.img").Expect(0);
        Disks.AssertEqual(_folder["disk.img"], _folder["back.img"]);
        Assert.InRange(Disks.AllocatedBytes(_folder["back.img"]), 1, 4_000_000);
        Assert.StartsWith("identical: ", Run("compare", "disk.img", Name("one")).Expect(0).Output);
        ImageInUse_IsNotWrittenTo();
        Snapshot_IsReadAsItWas_AndIntoARepository();
    }

    void Snapshot_IsReadAsItWas_AndIntoARepository()
    {
        _ = _ceph.Rbd("snap", "create", "rbd/one@then");
        Disks.Random(_folder["other.img"], DiskBytes);
        Run("backup", "other.img", Name("one"), "--force").Expect(0);
        Run("backup", Name("one@then"), "then.img").Expect(0);
        Disks.AssertEqual(_folder["disk.img"], _folder["then.img"]);
        Run("backup", "disk.img", Name("one@then"), "--force").Expect(1).ExpectSentence("a snapshot");
        using RepositoryFolder repo = new();
        repo.Init();
        repo.Fastbackup("backup", Name("one@then"), "--repo", "repo", "--disk", "one").Expect(0);
        repo.Fastbackup("repo", "restore", "repo", Name("one"), "--disk", "one", "--force").Expect(0);
        Assert.StartsWith("identical: ", Run("compare", "disk.img", Name("one")).Expect(0).Output);
        Assert.InRange(DataBytes("rbd/one"), 3_000_000, 4 * 4 * Mebi); // what was there is a hole again
    }

    void ImageInUse_IsNotWrittenTo()
    {
        using RunningProgram server = Start("serve", Name("one"), "--socket", "s");
        Eventually.True(() => server.Output.Contains("serving", StringComparison.Ordinal));
        Run("backup", "disk.img", Name("one"), "--force").Expect(1).ExpectSentence("has its exclusive lock");
        server.Signal("INT");
        server.Wait().Expect(0);
    }

    [Fact]
    public void ExamplesOfThePage_Run()
    {
        _ = _ceph.Rbd("import", _folder["disk.img"], "rbd/vm7");
        _ = _ceph.Rbd("snap", "create", "rbd/vm7@nightly");
        _ = _ceph.Rbd("create", "rbd/copy", "--size", "64");
        using DocumentShell shell = new();
        File.Copy(_folder["disk.img"], shell["disk.img"]);
        string script = CommandBlock.Read("native-api/docs/rbd.md", "images").Script;
        _ = shell.Run(
            $"export CEPH_CONF='{_ceph.Configuration}'\nfastbackup repo init repo\n"
                + script
                    .Replace("rbd:vms/", "rbd:rbd/", StringComparison.Ordinal)
                    .Replace("/etc/ceph/west.conf", _ceph.Configuration, StringComparison.Ordinal)
        );
        Disks.AssertEqual(_folder["disk.img"], shell["vm7.img"]);
        Assert.StartsWith("identical: ", Run("compare", "disk.img", Name("copy")).Expect(0).Output);
    }

    [Fact]
    public void WrongNames_AreRefusedInASentence()
    {
        Run("backup", Name("nothing"), "x.img").Expect(1).ExpectSentence($"cannot open '{Name("nothing")}'");
        Run("backup", Name("one@nothing"), "x.img").Expect(1).ExpectSentence($"cannot open '{Name("one@nothing")}'");
        string pool = $"rbd:nowhere/one:conf={_ceph.Configuration}";
        Run("backup", pool, "x.img").Expect(1).ExpectSentence("cannot open the pool 'nowhere'");
        Run("backup", "rbd:one", "x.img").Expect(2).ExpectSentence("names no pool and image");
        Run("backup", "rbd:a/b:color=red", "x.img").Expect(2).ExpectSentence("':color=red'");
        Run("backup", "rbd:a/b:conf=/nowhere.conf", "x.img")
            .Expect(1)
            .ExpectSentence("cannot read Ceph's configuration");
        Assert.False(File.Exists(_folder["x.img"]));
        ClusterThatIsAway_IsOneSentence();
        ClusterThatStops_EndsTheBackup();
    }

    void ClusterThatIsAway_IsOneSentence()
    {
        File.WriteAllText(_folder["away.conf"], $"[global]\nmon_host = v2:127.0.0.1:{LocalPort.Free().Port}\n");
        Run("backup", $"rbd:rbd/one:conf={_folder["away.conf"]}", "x.img")
            .Expect(1)
            .ExpectSentence("cannot connect to the cluster");
    }

    void ClusterThatStops_EndsTheBackup()
    {
        Disks.Random(_folder["other.img"], DiskBytes);
        using RunningProgram backup = Start(
            ["backup", "other.img", Name("one"), "--force", "--speed", "8MiB", "--reconnect", "3"]
        );
        Eventually.True(() => DataBytes("rbd/one") > 0);
        _ceph.Freeze(isFrozen: true);
        backup.Wait().Expect(1).ExpectSentence("timed out");
        _ceph.Freeze(isFrozen: false);
    }

    [Fact]
    public void ClusterThatStops_HoldsNoGuest()
    {
        using ServedDisk disk = new(path => Disks.Random(path, DiskBytes));
        using RunningProgram server = disk.Serve();
        string node = $"driver=rbd node-name=t pool=rbd image=one conf={_ceph.Configuration}";
        _ = disk.Ctl(["blockdev-add", .. node.Split(' ')]);
        _ = disk.Ctl("blockdev-backup", "device=disk", "target=t", "sync=full", "job-id=j", "speed=8MiB");
        Eventually.True(() => DataBytes("rbd/one") > 0);
        _ceph.Freeze(isFrozen: true);
        for (int i = 0; i < 8; i++)
            disk.Write($"{8 * i}M 4k");
        _ceph.Freeze(isFrozen: false);
        _ = disk.Ctl("job-cancel", "id=j");
        ServedDisk.End(server, "INT");
    }

    string Name(string image) => $"rbd:rbd/{image}:conf={_ceph.Configuration}";

    /// <summary>Of its objects.</summary>
    long DataBytes(string image) =>
        JsonDocument
            .Parse(_ceph.Rbd("diff", image, "--format", "json"))
            .RootElement.EnumerateArray()
            .Sum(one => one.GetProperty("length").GetInt64());

    ProgramResult Run(params string[] words) => Programs.Fastbackup(_folder.Path, words);

    RunningProgram Start(params string[] words) => Programs.StartFastbackup(_folder.Path, words);
}
