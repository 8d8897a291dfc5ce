// What can be wrong with a repository: each is one sentence and an exit code, and nothing is lost or made.
using System;
using System.IO;
using System.Linq;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class RepositoryRefusalTests : IDisposable
{
    const int Mebi = 1 << 20;

    readonly RepositoryFolder _repo = new();

    public void Dispose() => _repo.Dispose();

    [Fact]
    public void PasswordThatIsWrong_OpensNothing()
    {
        Make();
        Password("wrong", "nonsense", UnixFileMode.UserRead);
        _repo.Fastbackup("repo list REPO --password-file wrong").Expect(1).ExpectSentence("opens none of the 1 key");
        Password("open", RepositoryFolder.Password, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        _repo.Fastbackup("repo list REPO --password-file open").Expect(1).ExpectSentence("chmod 600");
        _repo
            .Fastbackup("repo list REPO --password-file none")
            .Expect(1)
            .ExpectSentence("cannot read password file 'none': no such file or directory (ENOENT); give one");
        Password("empty", "\n", UnixFileMode.UserRead);
        _repo.Fastbackup("repo list REPO --password-file empty").Expect(1).ExpectSentence("is empty");
        using RunningProgram without = Programs.StartFastbackup(_repo.Path, "repo", "list", "repo");
        without.Wait().Expect(1).ExpectSentence("there is no password", "FASTBACKUP_PASSWORD");
    }

    [Fact]
    public void PasswordOfACommand_IsTaken()
    {
        Make();
        using RunningProgram program = new(
            _repo.Path,
            BuiltCommand.Words[0],
            [.. BuiltCommand.Words[1..], "repo", "list", "repo"],
            ("RESTIC_PASSWORD_COMMAND", $"echo '{RepositoryFolder.Password}'")
        );
        program.Wait().Expect(0);
    }

    [Fact]
    public void FolderThatHoldsNoRepository_IsRefused()
    {
        Directory.CreateDirectory(_repo["repo"]);
        _repo.Fastbackup("repo list REPO").Expect(1).ExpectSentence("there is no repository at 'repo'");
        Disks.Random(_repo["disk.img"], 1000);
        _repo.Fastbackup("backup disk.img --repo REPO").Expect(1).ExpectSentence("there is no repository");
        _repo.Fastbackup("repo init REPO").Expect(0);
        _repo.Fastbackup("repo init REPO").Expect(1).ExpectSentence("holds a repository already");
    }

    [Fact]
    public void InitThatEndedBetweenKeyAndConfig_IsFinishedByAnother()
    {
        _repo.Fastbackup("repo init REPO").Expect(0);
        File.Delete(_repo["repo/config"]);
        Password("other", "another", UnixFileMode.UserRead);
        _repo
            .Fastbackup("repo init REPO --password-file other")
            .Expect(1)
            .ExpectSentence("was begun and not finished", "the password that it was begun with", "folder 'keys'");
        _repo.Fastbackup("repo init REPO").Expect(0);
        Assert.Single(_repo.Files("keys"));
        Disks.Random(_repo["disk.img"], 1000);
        _repo.Fastbackup("backup disk.img --repo REPO").Expect(0);
        _repo.Check();
        // One that has content has lost its config: nothing is made over it.
        File.Delete(_repo["repo/config"]);
        _repo.Fastbackup("repo init REPO").Expect(1).ExpectSentence("what is left of another repository");
        Assert.False(File.Exists(_repo["repo/config"]));
    }

    [Fact]
    public void DiskThatIsFullMidPack_IsSaid_AndNothingLooksWhole()
    {
        using MountPoint mount = MountPoint.Tmpfs(_repo["repo"], "size=12m");
        Disks.Random(_repo["disk.img"], 24 * Mebi);
        _repo.Init();
        Disks.Random(_repo["small.img"], Mebi);
        _repo.Fastbackup("backup small.img --repo REPO").Expect(0);
        for (int i = 0; i < 2; i++)
            _repo
                .Fastbackup("backup disk.img --repo REPO --pack 16MiB")
                .Expect(1)
                .ExpectSentence(
                    "cannot write 'repo/",
                    "': no space left on device (ENOSPC); free space there, nothing"
                );
        Assert.StartsWith("1 point in 'repo'", _repo.Fastbackup("repo list REPO").Expect(0).OutputLines[^1]);
        Assert.Single(_repo.Points());
        Assert.Empty(_repo.Files("locks"));
        Assert.Empty(_repo.Files("tmp"));
        Assert.StartsWith(
            "verified: 1 point, ",
            _repo.Fastbackup("repo verify REPO --read-data").Expect(0).OutputLines[^1]
        );
        _repo.AssertRestores("latest", "small.img");
        Programs.Run(_repo.Path, "mount", "-o", "remount,size=64m", mount.Path).Expect(0);
        _repo.Fastbackup("backup disk.img --repo REPO").Expect(0);
        _repo.AssertRestores("latest", "disk.img", "disk.img");
        _repo.Check();
    }

    [Fact]
    public void VersionOne_IsRefusedWithTheWayOut()
    {
        _repo.Restic("init --repository-version 1").Expect(0);
        _repo.Fastbackup("repo list REPO").Expect(1).ExpectSentence("version 1", "upgrade_repo_v2");
    }

    [Fact]
    public void ForeignFilesInTheFolder_AreLeftAlone()
    {
        Make();
        foreach (string folder in new[] { "", "data", "data/00", "snapshots", "index", "locks", "keys" })
            File.WriteAllText(_repo[$"repo/{folder}/readme.txt"], "not yours");
        _repo.Fastbackup("backup disk.img --repo REPO").Expect(0);
        _repo.Fastbackup("repo verify REPO --read-data").Expect(0);
        Assert.Equal(7, Directory.GetFiles(_repo["repo"], "readme.txt", SearchOption.AllDirectories).Length);
    }

    [Fact]
    public void ExclusiveLock_IsHonoured_AndAStaleOneTakenAway()
    {
        Make();
        Requires.Command("restic");
        // Stopped while it holds its lock.
        using (
            RunningProgram restic = new(
                _repo.Path,
                "restic",
                ["-r", "repo", "--no-cache", "check", "--read-data"],
                ("RESTIC_PASSWORD", RepositoryFolder.Password)
            )
        )
        {
            Eventually.True(() => restic.HasExited || IsLocked());
            if (!restic.HasExited)
            {
                restic.Freeze();
                bool isHeld = IsLocked();
                ProgramResult refused = _repo.Fastbackup("backup disk.img --repo REPO");
                restic.Thaw();
                if (isHeld)
                    refused.Expect(1).ExpectSentence("locked exclusively", "restic unlock");
            }
        }
        _repo.Fastbackup("backup disk.img --repo REPO").Expect(0);

        // Under its name: what restic still writes has a longer one, and is no lock.
        bool IsLocked() => _repo.Files("locks").Any(path => Path.GetFileName(path).Length == 64);
    }

    [Theory]
    [InlineData("flip")]
    [InlineData("cut")]
    [InlineData("empty")]
    [InlineData("gone")]
    public void DamagedPack_IsFound_NeverReused_AndHealed(string damage)
    {
        Make();
        string pack = _repo.Files("data").OrderByDescending(path => new FileInfo(path).Length).First();
        Damage(pack, damage);
        _repo.Fastbackup("repo verify REPO --read-data").Expect(1);
        _repo.Fastbackup("repo restore REPO out.img").Expect(1);
        Assert.False(File.Exists(_repo["out.img"]));
        if (damage == "flip")
            _repo.Fastbackup("repo verify REPO --read-data --repair").Expect(1);
        _repo.Fastbackup("backup disk.img --repo REPO").Expect(0);
        // The same chunks, stored anew: the old point is whole again, too.
        foreach (string point in _repo.Points())
            _repo.AssertRestores(point, "disk.img");
    }

    [Theory]
    [InlineData("index", "flip")]
    [InlineData("index", "cut")]
    [InlineData("index", "gone")]
    [InlineData("snapshots", "flip")]
    [InlineData("snapshots", "empty")]
    [InlineData("keys", "cut")]
    [InlineData("config", "flip")]
    public void OtherDamagedFile_IsSaid_AndNothingWrongIsMade(string kind, string damage)
    {
        Make();
        string path = kind == "config" ? _repo["repo/config"] : _repo.Files(kind)[0];
        Damage(path, damage);
        ProgramResult verified = _repo.Fastbackup("repo verify REPO").Expect(1);
        Assert.DoesNotContain("internal error", verified.Error);
        ProgramResult backedUp = _repo.Fastbackup("backup disk.img --repo REPO --json");
        Assert.DoesNotContain("internal error", backedUp.Error);
        if (kind is "keys" or "config")
            backedUp.Expect(1);
        else
            _repo.AssertRestores(backedUp.Expect(0).Events()[^1].Text("point")![..12], "disk.img");
    }

    void Make()
    {
        Disks.Random(_repo["disk.img"], 3 * Mebi + 100);
        _repo.Init();
        _repo.Fastbackup("backup disk.img --repo REPO").Expect(0);
    }

    void Password(string name, string text, UnixFileMode mode)
    {
        File.WriteAllText(_repo[name], text);
        File.SetUnixFileMode(_repo[name], mode);
    }

    static void Damage(string path, string how)
    {
        byte[] bytes = File.ReadAllBytes(path);
        File.Delete(path);
        if (how == "flip")
            bytes[bytes.Length / 2] ^= 4;
        if (how != "gone")
            File.WriteAllBytes(
                path,
                how == "cut" ? bytes[..(bytes.Length / 2)]
                    : how == "empty" ? []
                    : bytes
            );
    }
}
